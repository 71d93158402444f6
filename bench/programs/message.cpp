// SPDX-License-Identifier: GPL-2.0-only
#include "message.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/text.h"

namespace libra::bench {
namespace {

using test::parse_number;
using test::trim;

// A chunk's size line and the end of the chunk before it; what else comes
// along is body that could have been discarded unread.
constexpr std::size_t kLineRead = 32;
constexpr std::size_t kBodyRead = 256 * 1024;
constexpr std::uint64_t kDiscard = 64 * 1024 * 1024;
constexpr int kTurns = 64;  // reads before the others get theirs

}  // namespace

void MessageReader::restart() {
    state_ = State::kHead;
    received_ = 0;
    left_ = 0;
}

void MessageReader::drop() {
    restart();
    begin_ = end_ = 0;
}

MessageReader::Result MessageReader::read(const Fd& fd, test::BodyCheck* check, Tls* tls) {
    bool drained = false;
    for (int turn = 0; turn < kTurns || (tls != nullptr && tls->pending()); ++turn) {
        if (const Result result = consume(check); result != Result::kMore || drained)
            return result;
        const std::size_t count = wanted();
        if (count == 0)
            return Result::kBad;  // a head that does not end
        const ssize_t got = fetch(fd, count, check, tls);
        if (got == 0)
            return at_eof(check);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            error_ = errno;
            return error_ == EAGAIN ? Result::kMore : Result::kFailed;
        }
        // A short read left nothing: spare the call that would say so. Of TLS it is a record.
        drained = tls == nullptr && static_cast<std::size_t>(got) < count;
    }
    return consume(check);
}

std::size_t MessageReader::wanted() const {
    if (in_body())
        return static_cast<std::size_t>(std::min(left_, kDiscard));
    const std::size_t room = buffer_.size() - end_;
    return state_ == State::kHead ? room : std::min(room, kLineRead);
}

// Body bytes never get into the buffer but with a head or a chunk's size.
ssize_t MessageReader::fetch(const Fd& fd, std::size_t count, test::BodyCheck* check, Tls* tls) {
    const auto receive = [&fd, tls](char* to, std::size_t most) {
        return tls != nullptr ? tls->receive(to, most) : ::recv(fd.get(), to, most, 0);
    };
    if (!in_body()) {
        const ssize_t got = receive(buffer_.data() + end_, count);
        if (got > 0)
            end_ += static_cast<std::size_t>(got);
        return got;
    }
    ssize_t got = 0;
    if (check != nullptr || tls != nullptr) {
        static std::vector<char> scratch(kBodyRead);
        got = receive(scratch.data(), std::min(count, scratch.size()));
        if (got > 0 && check != nullptr)
            feed({scratch.data(), static_cast<std::size_t>(got)}, *check);
    } else {
        got = ::recv(fd.get(), nullptr, count, MSG_TRUNC);
    }
    if (got > 0)
        take_body(static_cast<std::size_t>(got));
    return got;
}

void MessageReader::feed(std::string_view bytes, test::BodyCheck& check) {
    if (head_.coding == "gzip")
        decodes_ = decodes_ && gunzip_.feed(bytes, check);
    else
        check.feed(bytes);
}

MessageReader::Result MessageReader::end_body(const test::BodyCheck* check) {
    const bool whole = check == nullptr || head_.coding != "gzip" || (decodes_ && gunzip_.done());
    return whole ? Result::kDone : Result::kBad;
}

void MessageReader::take_body(std::size_t count) {
    received_ += count;
    if (state_ == State::kBody)
        left_ -= count;
}

// Deals with what is buffered. kMore: nothing is left that could be dealt with.
MessageReader::Result MessageReader::consume(test::BodyCheck* check) {
    for (;;) {
        switch (state_) {
            case State::kHead:
                return take_head();
            case State::kBody:
            case State::kUntilClose: {
                const auto count =
                    static_cast<std::size_t>(std::min<std::uint64_t>(left_, end_ - begin_));
                if (count > 0 && check != nullptr)
                    feed({buffer_.data() + begin_, count}, *check);
                begin_ += count;
                take_body(count);
                if (left_ > 0)
                    return Result::kMore;
                state_ = head_.chunked ? State::kChunkEnd : State::kDone;
                break;
            }
            case State::kChunkLine:
            case State::kChunkEnd:
            case State::kTrailer:
                if (const Result result = take_chunk_line(); result != Result::kDone)
                    return result;
                break;
            case State::kDone:
                return end_body(check);
        }
    }
}

MessageReader::Result MessageReader::take_head() {
    for (;;) {
        const std::string_view text(buffer_.data() + begin_, end_ - begin_);
        const auto blank = text.find("\r\n\r\n");
        if (blank == std::string_view::npos) {
            std::memmove(buffer_.data(), text.data(), text.size());
            begin_ = 0;
            end_ = text.size();
            return Result::kMore;
        }
        auto head = test::parse_head(text.substr(0, blank + 2), kind_);
        begin_ += blank + 4;
        if (!head)
            return Result::kBad;
        if (kind_ == Kind::kResponse && head->status >= 100 && head->status < 200)
            continue;  // the answer is still to come
        head_ = std::move(*head);
        break;
    }
    if (head_.coding == "gzip")
        gunzip_.restart();
    decodes_ = true;
    left_ = head_.length.value_or(0);
    state_ = head_.chunked ? State::kChunkLine : State::kBody;
    if (kind_ == Kind::kResponse && !head_.chunked && !head_.length) {
        head_.keep_alive = false;
        left_ = UINT64_MAX;
        state_ = State::kUntilClose;
    }
    return Result::kHead;
}

// kDone: a line was taken.
MessageReader::Result MessageReader::take_chunk_line() {
    const auto line = take_line();
    if (!line)
        return Result::kMore;
    switch (state_) {
        case State::kChunkEnd:
            if (!line->empty())
                return Result::kBad;
            state_ = State::kChunkLine;
            break;
        case State::kChunkLine:
            if (!parse_number(trim(line->substr(0, line->find(';'))), left_, 16))
                return Result::kBad;
            state_ = left_ == 0 ? State::kTrailer : State::kBody;
            break;
        default:
            if (line->empty())
                state_ = State::kDone;
            break;
    }
    return Result::kDone;
}

std::optional<std::string_view> MessageReader::take_line() {
    const std::string_view text(buffer_.data() + begin_, end_ - begin_);
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) {
        std::memmove(buffer_.data(), text.data(), text.size());
        begin_ = 0;
        end_ = text.size();
        return {};
    }
    begin_ += end + 2;
    return text.substr(0, end);
}

MessageReader::Result MessageReader::at_eof(const test::BodyCheck* check) {
    if (state_ == State::kUntilClose) {
        state_ = State::kDone;
        return end_body(check);
    }
    return begun() ? Result::kTruncated : Result::kClosed;
}

}  // namespace libra::bench
