// SPDX-License-Identifier: GPL-2.0-only
#include "exchange.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/error.h"

namespace libra::test {
namespace {

using enum Behaviour;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMemory = 512 * 1024;
constexpr auto kStall = std::chrono::seconds(20);

const std::string& stale_memory() {
    static const std::string memory = [] {
        std::string bytes;
        while (bytes.size() < kMemory)
            bytes += kStale;
        return bytes;
    }();
    return memory;
}

bool would_block(int error) {
    return error == EAGAIN || error == EINTR;
}

std::string response_head(const std::string& field) {
    return "HTTP/1.1 200 OK\r\nServer: hostile\r\n" + field + "\r\n\r\n";
}

}  // namespace

Network::Network(const Ports& ports)
    : ports_(ports),
      listen_(listen_on(ports.listen)),
      origin_(listen_on(ports.origin)),
      unattached_(listen_on(ports.unattached)) {}

Link Network::client() const {
    Fd peer = connect_to(ports_.listen);
    Fd proxy = accept_from(listen_);
    if (ports_.ktls)
        encrypt(proxy, peer);
    return {std::move(proxy), std::move(peer)};
}

Link Network::upstream() const {
    Fd proxy = connect_to(ports_.origin);
    Fd peer = accept_from(origin_);
    if (ports_.ktls) {
        encrypt(peer, proxy);
        encrypt(proxy, peer);
    }
    return {std::move(proxy), std::move(peer)};
}

Link Network::unattached() const {
    Fd peer = connect_to(ports_.unattached);
    return {accept_from(unattached_), std::move(peer)};
}

Exchange::Exchange(const Network& network, const Blob& blob, const std::string& magic,
                   const Plan& plan, std::uint64_t seed)
    : network_(network),
      blob_(blob),
      plan_(plan),
      random_(seed),
      magic_(magic),
      forwarder_(plan.behaviours, plan.framed, random_, magic),
      memory_(stale_memory()) {
    plan_messages();
    open();
}

void Exchange::plan_messages() {
    messages_ = plan_.http1 ? static_cast<unsigned>(random_.between(1, 5)) : 1;
    // Tiny buffers make every byte dear.
    const std::size_t largest =
        plan_.behaviours.has(kFull) ? std::min<std::size_t>(plan_.largest, 60'000) : plan_.largest;
    for (unsigned i = 0; i < messages_; ++i) {
        const std::size_t size = random_.log_between(plan_.http1 ? 1 : largest / 8, largest);
        if (plan_.http1) {
            const std::string head = response_head("Content-Length: " + std::to_string(size));
            wire_ += head;
            segments_.push_back({head.size(), false, false});
        }
        wire_ += blob_.slice(random_.below(blob_.size() - size), size);
        // A body may end with what could be the beginning of a VPI.
        if (size >= kMagicSize && random_.one_in(3)) {
            const std::size_t length = random_.between(1, kChance);
            wire_.replace(wire_.size() - length, length, magic_, 0, length);
        }
        segments_.push_back({size, true, true});
    }
}

void Exchange::open() {
    source_ = plan_.upload ? network_.client() : network_.upstream();
    for (std::size_t i = 0; i < kSinks; ++i) {
        if (i > 0 && !plan_.behaviours.has(kTwoSinks)) {
            sinks_[i].ended = true;
            continue;
        }
        Link link = plan_.upload ? network_.upstream() : network_.client();
        if (plan_.behaviours.has(kFull))
            set_buffers(link.proxy, static_cast<int>(random_.log_between(4096, 65536)), 0);
        if (plan_.behaviours.has(kFull))
            set_buffers(link.peer, 0, static_cast<int>(random_.log_between(2048, 65536)));
        sinks_[i].proxy = std::move(link.proxy);
        sinks_[i].peer = std::move(link.peer);
    }
    if (!plan_.http1)
        return;
    for (unsigned i = 0; i < messages_; ++i) {
        for (const Sink& sink : sinks_)
            if (sink.peer)
                say(sink.peer, sink.proxy, kRequest);
        say(source_.proxy, source_.peer, kRequest);
    }
}

bool Exchange::over() const {
    return std::all_of(sinks_.begin(), sinks_.end(), [](const Sink& sink) { return sink.ended; });
}

Outcome Exchange::run() {
    auto last = Clock::now();
    while (!over()) {
        if (step())
            last = Clock::now();
        else if (Clock::now() - last > kStall)
            break;
        if (plan_.behaviours.has(kDelay) && random_.one_in(8))
            ::usleep(static_cast<useconds_t>(random_.log_between(10, 5000)));
    }
    Outcome outcome;
    outcome.payload = wire_read_;
    for (std::size_t at = 0; at < kSinks; ++at)
        if (sinks_[at].peer)
            judge(at, outcome);
    if (!altered_.empty()) {
        ++outcome.wrong;
        outcome.complaint = altered_;
    }
    return outcome;
}

// One actor does one thing. Whether it could.
bool Exchange::step() {
    const std::size_t sink = random_.below(kSinks);
    switch (random_.below(4)) {
        case 0:
            return source_sends();
        case 1:
            return proxy_reads();
        case 2:
            return proxy_sends(sink);
        default:
            // A full buffer needs a peer that is slower than the proxy.
            if (plan_.behaviours.has(kFull) && !random_.one_in(4))
                return proxy_sends(sink);
            return sink_reads(sink);
    }
}

bool Exchange::source_sends() {
    if (!source_.peer)
        return false;
    if (wire_sent_ == wire_.size()) {
        source_.peer.reset();
        return true;
    }
    const std::size_t size =
        std::min<std::size_t>(random_.log_between(1, 200'000), wire_.size() - wire_sent_);
    const ssize_t count = ::send(source_.peer.get(), wire_.data() + wire_sent_, size, MSG_NOSIGNAL);
    if (count > 0)
        wire_sent_ += static_cast<std::size_t>(count);
    else if (!would_block(errno))
        source_.peer.reset();
    if (plan_.behaviours.has(kVanish) && source_.peer && random_.one_in(20)) {
        reset_on_close(source_.peer);
        source_.peer.reset();
    }
    return count > 0;
}

// A scattered read, as nginx does, or a plain one, somewhere in the memory.
bool Exchange::proxy_reads() {
    if (!reading_)
        return false;
    if (!plan_.behaviours.has(kRecycle))
        memory_ = stale_memory();
    std::array<iovec, 6> parts;
    const std::size_t count = random_.between(1, parts.size());
    const std::size_t slot = kMemory / parts.size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t length = random_.log_between(1, slot);
        parts[i] = {memory_.data() + i * slot + random_.below(slot - length + 1), length};
    }
    ssize_t got = ::readv(source_.proxy.get(), parts.data(), static_cast<int>(count));
    if (got < 0 && would_block(errno))
        return false;
    if (got <= 0) {
        end_reading();
        return true;
    }
    if (static_cast<std::size_t>(got) > wire_sent_ - wire_read_)
        throw Error("recv() returned more bytes than were sent");
    for (std::size_t i = 0; got > 0; ++i) {
        const auto length = std::min<std::size_t>(parts[i].iov_len, static_cast<std::size_t>(got));
        Piece piece{std::string(static_cast<const char*>(parts[i].iov_base), length),
                    wire_.substr(wire_read_, length)};
        wire_read_ += length;
        got -= static_cast<ssize_t>(length);
        understand(std::move(piece));
    }
    return true;
}

// Takes metadata and payload apart, as the proxy's own parser would.
void Exchange::understand(Piece piece) {
    while (!piece.empty()) {
        const Segment& segment = segments_[segment_];
        const std::size_t length = std::min(piece.size(), segment.length - segment_taken_);
        Piece part = piece.part(0, length);
        piece = piece.part(length);
        segment_taken_ += length;
        const bool complete = segment_taken_ == segment.length;
        if (segment.payload && !magic_.empty() && part.real.starts_with(magic_))
            seen_.insert(part.real.substr(0, kIdSize));
        if (segment.payload)
            forwarder_.payload(std::move(part));
        else if (part.real != part.native && altered_.empty())
            altered_ = "metadata was not read as it was sent";
        if (!complete)
            continue;
        if (!segment.payload)
            forwarder_.own(plan_.framed
                               ? response_head("Transfer-Encoding: chunked")
                               : response_head("Content-Length: " +
                                               std::to_string(segments_[segment_ + 1].length)));
        if (segment.last)
            forwarder_.end_message();
        ++segment_;
        segment_taken_ = 0;
    }
}

void Exchange::end_reading() {
    reading_ = false;
    source_.proxy.reset();
    source_.peer.reset();
}

// Gathers what is next, in any number of bytes.
bool Exchange::proxy_sends(std::size_t at) {
    Sink& sink = sinks_[at];
    auto& out = forwarder_.out(at);
    if (!sink.proxy)
        return false;
    if (out.empty()) {
        if (reading_)
            return false;
        // Of what kernel TLS has encrypted a close() loses what TCP has no room for.
        if (network_.encrypts() && !sink.ended && sink.received.size() < sink.expected.size())
            return false;
        sink.proxy.reset();
        return true;
    }
    if (maybe_vanish(at))
        return true;

    std::array<iovec, 8> parts;
    const std::size_t limit = plan_.behaviours.has(kSplit) ? random_.log_between(1, 20'000)
                                                           : random_.log_between(1000, 1'000'000);
    std::size_t size = 0;
    std::size_t count = 0;
    std::string native;
    for (auto piece = out.begin(); piece != out.end() && count < parts.size() && size < limit;
         ++piece) {
        const std::size_t skip = count == 0 ? sink.front_sent : 0;
        const std::size_t length = std::min(piece->size() - skip, limit - size);
        parts[count++] = {piece->real.data() + skip, length};
        native.append(piece->native, skip, length);
        size += length;
    }
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const bool more = plan_.behaviours.has(kMore) && out.size() > count && random_.one_in(2);
    const ssize_t sent =
        ::sendmsg(sink.proxy.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (sent < 0) {
        if (would_block(errno))
            return false;
        sink.send_error = errno;
        sink.attempted = std::move(native);
        sink.proxy.reset();
        out.clear();
        return true;
    }
    sink.expected.append(native, 0, static_cast<std::size_t>(sent));
    sink.front_sent += static_cast<std::size_t>(sent);
    while (!out.empty() && sink.front_sent >= out.front().size()) {
        sink.front_sent -= out.front().size();
        out.pop_front();
    }
    return true;
}

bool Exchange::maybe_vanish(std::size_t at) {
    Sink& sink = sinks_[at];
    if (!plan_.behaviours.has(kVanish) || !sink.peer || !random_.one_in(40))
        return false;
    if (random_.one_in(2))
        reset_on_close(sink.peer);
    sink.vanished = true;
    sink.ended = true;
    ::shutdown(sink.peer.get(), SHUT_RDWR);
    return true;
}

bool Exchange::sink_reads(std::size_t at) {
    Sink& sink = sinks_[at];
    if (sink.ended)
        return false;
    std::string bytes(random_.log_between(1, 200'000), '\0');
    const ssize_t count = ::recv(sink.peer.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && would_block(errno))
        return false;
    if (count < 0)
        sink.receive_error = errno;
    if (count <= 0)
        sink.ended = true;
    else
        sink.received.append(bytes, 0, static_cast<std::size_t>(count));
    return true;
}

// A VPI was cut in the bytes that may be anybody's, and its rest came from elsewhere in memory
// when they had been sent: nothing but them is wrong. There may be framing between them.
bool Exchange::is_late(const std::string& got, const std::string& possible) const {
    std::size_t next = 0;  // in the magic
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (i < possible.size() && got[i] == possible[i])
            continue;
        const std::size_t at = magic_.find(got[i], next);
        if (at >= kChance)
            return false;
        next = at + 1;
    }
    return true;
}

// All that names an anchor: the magic, which is no secret, and the whole of an id behind it. Of a
// token that was cut to pieces less may leave.
bool Exchange::has_token(const std::string& got) const {
    for (std::size_t at = 0; !magic_.empty(); ++at) {
        at = got.find(magic_, at);
        if (at == std::string::npos || got.size() - at < kIdSize)
            return false;
        if (seen_.contains(got.substr(at, kIdSize)))
            return true;
    }
    return false;
}

void Exchange::judge(std::size_t at, Outcome& outcome) const {
    const Sink& sink = sinks_[at];
    const std::string possible = sink.expected + sink.attempted;
    const auto& got = sink.received;
    const auto begin = static_cast<std::size_t>(
        std::mismatch(got.begin(), got.end(), possible.begin(), possible.end()).first -
        got.begin());
    const bool aborted = sink.send_error != 0 || sink.receive_error != 0;
    std::string wrong;
    bool edited = false;

    if (begin < got.size() && aborted && (plan_.behaviours.moves_parts() || network_.encrypts()) &&
        is_late(got, possible)) {
        ++outcome.aborted;
        ++outcome.late;
    } else if (begin < got.size()) {
        // Half of it is enough to tell.
        const std::size_t look = begin - std::min(begin, kStale.size());
        if (got.find(kStale, look) != std::string::npos) {
            ++outcome.stale;
            for (std::size_t i = look; (i = got.find(kStale, i)) != std::string::npos;
                 i += kStale.size())
                outcome.stale_bytes += kStale.size();
            wrong += "stale memory, ";
        }
        if (has_token(got)) {
            ++outcome.tokens;
            wrong += "a VPI, ";
        }
        edited = wrong.empty();
        outcome.edited += edited;
        wrong +=
            "a wrong byte at " + std::to_string(begin) + " of " + std::to_string(possible.size());
    } else if (sink.vanished) {
        ++outcome.vanished;
    } else if (!sink.ended) {
        wrong =
            "a stall at " + std::to_string(got.size()) + " of " + std::to_string(possible.size());
    } else if (aborted) {
        ++outcome.aborted;
    } else if (got.size() == sink.expected.size()) {
        ++outcome.exact;
    } else {
        wrong = "the end after " + std::to_string(got.size()) + " of " +
                std::to_string(possible.size());
    }
    if (wrong.empty())
        return;
    outcome.noticed += aborted;
    if (!edited)
        ++outcome.wrong;
    if (outcome.complaint.empty())
        outcome.complaint = "sink " + std::to_string(at) + ": " + wrong;
}

}  // namespace libra::test
