// SPDX-License-Identifier: GPL-2.0-only
#include "forwarder.h"

#include <algorithm>
#include <utility>

namespace libra::test {

using enum Behaviour;

Forwarder::Forwarder(Behaviours behaviours, bool framed, Random& random, std::string magic)
    : behaviours_(behaviours), framed_(framed), random_(random), magic_(std::move(magic)) {}

void Forwarder::own(const std::string& bytes) {
    for (std::size_t sink = 0; sink < kSinks; ++sink)
        if (sink == 0 || behaviours_.has(kTwoSinks))
            out_[sink].push_back(Piece::own(bytes));
}

void Forwarder::payload(Piece piece) {
    if (!behaviours_.has(kCopy))
        return recut(piece);
    staged_.append(piece);
    std::size_t at = 0;
    while (staged_.size() - at >= staged_goal_) {
        recut(staged_.part(at, staged_goal_));
        at += staged_goal_;
        staged_goal_ = random_.log_between(1, 40'000);
    }
    staged_ = staged_.part(at);
}

void Forwarder::end_message() {
    if (!staged_.empty())
        recut(std::exchange(staged_, {}));
    if (!held_.empty())
        emit(std::exchange(held_, {}));
    if (framed_)
        own("0\r\n\r\n");
}

// Cuts inside each VPI; seldom in what may be chance, where all that Libra can do is to notice.
void Forwarder::recut(const Piece& piece) {
    std::size_t begin = 0;
    while (behaviours_.has(kCut)) {
        const std::size_t vpi = piece.real.find(magic_, begin);
        if (vpi == std::string::npos || vpi + kVpiSize > piece.size())
            break;
        const std::size_t first = random_.one_in(100) ? 1 : kChance + 1;
        const std::size_t end = vpi + random_.between(first, kVpiSize - 1);
        tamper(piece.part(begin, end - begin));
        begin = end;
    }
    if (begin < piece.size())
        tamper(piece.part(begin));
}

void Forwarder::tamper(Piece piece) {
    if (!behaviours_.breaks_contract() || random_.one_in(2))
        return arrange(piece);
    const std::size_t vpi = piece.real.find(magic_);
    const auto scribble = [&](std::size_t at, std::size_t length) {
        for (std::size_t i = at; i < std::min(at + length, piece.size()); ++i)
            piece.real[i] = piece.native[i] = static_cast<char>(random_.next());
    };

    if (behaviours_.has(kOverwrite) && vpi != std::string::npos)
        scribble(vpi + random_.below(kVpiSize), random_.between(1, kVpiSize / 2));
    if (behaviours_.has(kEdit) && vpi != std::string::npos && vpi + kVpiSize < piece.size())
        scribble(random_.between(vpi + kVpiSize, piece.size() - 1), random_.between(1, 100));
    if (behaviours_.has(kBehead))
        piece = piece.part(std::min<std::size_t>(random_.between(1, 64), piece.size()));
    if (behaviours_.has(kCurtail))
        piece = piece.part(0, random_.below(piece.size() + 1));
    if (behaviours_.has(kInsert)) {
        const std::size_t at = random_.below(piece.size() + 1);
        Piece longer = piece.part(0, at);
        longer.append(Piece::own(own_bytes()));
        longer.append(piece.part(at));
        piece = std::move(longer);
    }
    if (!piece.empty())
        arrange(piece);
}

void Forwarder::arrange(const Piece& piece) {
    if (behaviours_.has(kLeaveOut) && random_.one_in(4))
        return;
    if (behaviours_.has(kSwap) && held_.empty() && random_.one_in(2)) {
        held_ = piece;
        return;
    }
    emit(piece);
    if (behaviours_.has(kTwice) && random_.one_in(8))
        emit(piece);
    if (!held_.empty())
        emit(std::exchange(held_, {}));
}

void Forwarder::emit(const Piece& piece) {
    auto& out = out_[behaviours_.has(kTwoSinks) ? random_.below(kSinks) : 0];
    if (behaviours_.has(kMix)) {
        const Piece own = Piece::own(own_bytes());
        if (framed_)
            chunk(out, own);
        else
            out.push_back(own);
    }
    if (!framed_) {
        out.push_back(piece);
        return;
    }
    std::size_t at = 0;
    while (at < piece.size()) {
        const std::size_t size =
            behaviours_.has(kChunk) ? random_.log_between(1, 100'000) : piece.size();
        chunk(out, piece.part(at, size));
        at += std::min(size, piece.size() - at);
    }
}

// Framing and data lie side by side, as HAProxy has them, or apart, as nginx has.
void Forwarder::chunk(std::deque<Piece>& out, const Piece& piece) {
    constexpr char digits[] = "0123456789abcdef";
    std::string size;
    for (std::size_t left = piece.size(); left > 0; left /= 16)
        size.insert(size.begin(), digits[left % 16]);
    Piece framed = Piece::own(size + "\r\n");
    if (random_.one_in(2)) {
        out.push_back(framed);
        framed = {};
    }
    framed.append(piece);
    framed.append(Piece::own("\r\n"));
    out.push_back(std::move(framed));
}

// Often the beginning of a magic: it is not a VPI, whatever follows.
std::string Forwarder::own_bytes() {
    std::string bytes(random_.log_between(1, 5000), '\0');
    std::generate(bytes.begin(), bytes.end(),
                  [this] { return static_cast<char>(random_.between('a', 'z')); });
    if (random_.one_in(2))
        bytes += magic_.substr(0, random_.between(0, kChance));
    return bytes;
}

}  // namespace libra::test
