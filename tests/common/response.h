// SPDX-License-Identifier: GPL-2.0-only
// Reads one HTTP/1 response from a byte stream: Content-Length, chunked and
// until-close bodies. It is a client of servers the test started itself, so
// whatever it does not understand is an error, not a thing to be lenient about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "body_check.h"
#include "gunzip.h"

namespace libra::test {

class Response {
  public:
    enum class State {
        kHead,
        kBody,
        kUntilClose,
        kChunkLine,
        kChunkData,
        kChunkEnd,
        kTrailer,
        kDone,
        kBad
    };

    // With `gzip`, a body that is not compressed so is bad.
    void restart(bool to_head_request, bool gzip);

    // Takes what belongs to this response and returns how much that is; body
    // bytes, decoded if they are compressed, go to the check.
    std::size_t feed(std::string_view bytes, BodyCheck& body);

    // The peer has closed. Whether that completes the response.
    bool finish_at_eof();

    State state() const { return state_; }
    bool done() const { return state_ == State::kDone; }
    bool bad() const { return state_ == State::kBad; }
    int status() const { return status_; }
    bool keep_alive() const { return keep_alive_; }
    bool begun() const { return begun_; }
    std::optional<std::uint64_t> content_length() const { return content_length_; }

  private:
    std::size_t take_line(std::string_view bytes);
    bool parse_head();
    void line_done();
    void take_body(std::string_view bytes, BodyCheck& body);
    bool decoded() const { return !gzip_ || gunzip_.done(); }

    State state_ = State::kHead;
    bool to_head_request_ = false;
    bool want_gzip_ = false;
    bool gzip_ = false;  // this one is
    bool begun_ = false;
    bool keep_alive_ = true;
    bool chunked_ = false;
    int status_ = 0;
    std::optional<std::uint64_t> content_length_;
    std::uint64_t left_ = 0;  // of the body or of the chunk
    std::string text_;        // the head or line being collected
    Gunzip gunzip_;
};

}  // namespace libra::test
