// SPDX-License-Identifier: GPL-2.0-only
#include "response.h"

#include <algorithm>

#include "http_head.h"
#include "text.h"

namespace libra::test {
namespace {

constexpr std::size_t kMaxText = 65536;

}  // namespace

void Response::restart(bool to_head_request, bool gzip) {
    state_ = State::kHead;
    to_head_request_ = to_head_request;
    want_gzip_ = gzip;
    begun_ = false;
    text_.clear();
}

std::size_t Response::feed(std::string_view bytes, BodyCheck& body) {
    const std::size_t size = bytes.size();
    if (size > 0)
        begun_ = true;
    while (!bytes.empty() && !done() && !bad()) {
        std::size_t taken = 0;
        switch (state_) {
            case State::kBody:
            case State::kChunkData:
                taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
                left_ -= taken;
                take_body(bytes.substr(0, taken), body);
                if (left_ == 0 && !bad())
                    state_ = state_ == State::kBody ? State::kDone : State::kChunkEnd;
                break;
            case State::kUntilClose:
                taken = bytes.size();
                take_body(bytes, body);
                break;
            default:
                taken = take_line(bytes);
                break;
        }
        bytes.remove_prefix(taken);
    }
    if (done() && !decoded())
        state_ = State::kBad;
    return size - bytes.size();
}

bool Response::finish_at_eof() {
    if (state_ != State::kUntilClose || !decoded())
        return false;
    state_ = State::kDone;
    return true;
}

void Response::take_body(std::string_view bytes, BodyCheck& body) {
    if (!gzip_)
        body.feed(bytes);
    else if (!gunzip_.feed(bytes, body))
        state_ = State::kBad;
}

// Collects up to the end of a line, or of the whole head, and acts on it.
std::size_t Response::take_line(std::string_view bytes) {
    const auto newline = bytes.find('\n');
    const std::size_t taken = newline == std::string_view::npos ? bytes.size() : newline + 1;
    text_.append(bytes.substr(0, taken));
    if (text_.size() > kMaxText) {
        state_ = State::kBad;
        return taken;
    }
    const bool complete =
        state_ == State::kHead ? text_.ends_with("\r\n\r\n") : text_.ends_with("\r\n");
    if (complete) {
        line_done();
        text_.clear();
    }
    return taken;
}

void Response::line_done() {
    switch (state_) {
        case State::kHead:
            if (!parse_head())
                state_ = State::kBad;
            break;
        case State::kChunkLine: {
            const std::string_view line(text_.data(), text_.size() - 2);
            if (!parse_number(trim(line.substr(0, line.find(';'))), left_, 16))
                state_ = State::kBad;
            else
                state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
            break;
        }
        case State::kChunkEnd:
            state_ = text_ == "\r\n" ? State::kChunkLine : State::kBad;
            break;
        case State::kTrailer:
            if (text_ == "\r\n")
                state_ = State::kDone;
            break;
        default:
            state_ = State::kBad;
            break;
    }
}

bool Response::parse_head() {
    const auto head = test::parse_head(text_, HttpKind::kResponse);
    if (!head)
        return false;
    status_ = head->status;
    keep_alive_ = head->keep_alive;
    chunked_ = head->chunked;
    gzip_ = head->coding == "gzip";
    content_length_ = head->length;

    if (status_ >= 100 && status_ < 200 && status_ != 101)
        return true;  // the answer is still to come
    if (head->coding != (want_gzip_ ? "gzip" : ""))
        return false;
    if (gzip_)
        gunzip_.restart();
    left_ = content_length_.value_or(0);
    if (to_head_request_ || status_ == 204 || status_ == 304) {
        state_ = State::kDone;
        gzip_ = false;  // of a body that is not sent
    } else if (chunked_) {
        state_ = State::kChunkLine;
    } else if (!content_length_) {
        keep_alive_ = false;
        state_ = State::kUntilClose;
    } else {
        state_ = left_ == 0 ? State::kDone : State::kBody;
    }
    return true;
}

}  // namespace libra::test
