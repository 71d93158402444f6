// SPDX-License-Identifier: GPL-2.0-only
// Reads HTTP/1 messages from a socket. A body that nobody checks is discarded in
// the kernel, so that the end points cost next to nothing beside what is measured.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/body_check.h"
#include "common/gunzip.h"
#include "common/http_head.h"
#include "net.h"
#include "tls.h"

namespace libra::bench {

using Head = test::HttpHead;
using Kind = test::HttpKind;

class MessageReader {
  public:
    enum class Result {
        kMore,       // wait until there is more to read
        kHead,       // head() is there; call again for the body
        kDone,       // the message is whole
        kClosed,     // the peer closed before a message began
        kTruncated,  // the peer closed within a message
        kBad,        // not HTTP/1
        kFailed,     // error() says why
    };

    explicit MessageReader(Kind kind) : kind_(kind) {}

    void restart();  // for the next message
    void drop();     // for the next connection
    // check: null: discard the body; else it gets what the body decodes to. tls: what the
    // message comes through.
    Result read(const Fd& fd, test::BodyCheck* check, Tls* tls = nullptr);

    const Head& head() const { return head_; }
    bool begun() const { return state_ != State::kHead || end_ > begin_; }
    std::uint64_t received() const { return received_; }    // bytes of the body, as it came
    std::size_t buffered() const { return end_ - begin_; }  // of what follows
    int error() const { return error_; }

  private:
    enum class State { kHead, kBody, kUntilClose, kChunkLine, kChunkEnd, kTrailer, kDone };

    Result consume(test::BodyCheck* check);
    Result take_head();
    Result take_chunk_line();
    std::optional<std::string_view> take_line();
    void take_body(std::size_t count);
    std::size_t wanted() const;
    ssize_t fetch(const Fd& fd, std::size_t count, test::BodyCheck* check, Tls* tls);
    void feed(std::string_view bytes, test::BodyCheck& check);
    Result end_body(const test::BodyCheck* check);
    Result at_eof(const test::BodyCheck* check);

    bool in_body() const { return state_ == State::kBody || state_ == State::kUntilClose; }

    Kind kind_;
    State state_ = State::kHead;
    Head head_;
    std::uint64_t left_ = 0;  // of the body or of the chunk
    std::uint64_t received_ = 0;
    test::Gunzip gunzip_;
    bool decodes_ = true;  // so far
    int error_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::array<char, 8192> buffer_ = {};
};

}  // namespace libra::bench
