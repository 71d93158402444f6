// SPDX-License-Identifier: GPL-2.0-only
#include "origin.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/error.h"
#include "common/http_head.h"
#include "common/text.h"

namespace libra::soak {
namespace {

using test::Error;

}  // namespace

Origin::Origin(Loop& loop, std::uint16_t port, const Blob& blob, Report& report,
               std::size_t segment)
    : loop_(loop),
      listener_(test::listen_on(port)),
      blob_(blob),
      report_(report),
      segment_(segment),
      file_(::memfd_create("blob", MFD_CLOEXEC)) {
    const auto bytes = blob.all();
    if (!file_ ||
        ::write(file_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        throw Error::from_errno("a file in memory");
    loop_.add(listener_, *this, EPOLLIN);
}

void Origin::ready(std::uint32_t) {
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd)
        return;
    const int on = 1;
    if (segment_ > 0)
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connections_.emplace_back(*this, std::move(fd));
}

void Origin::reap() {
    connections_.remove_if([](const Connection& connection) { return connection.gone(); });
}

Origin::Connection::Connection(Origin& origin, Fd fd) : origin_(origin), fd_(std::move(fd)) {
    origin_.loop_.add(fd_, *this, watched_);
}

void Origin::Connection::watch(std::uint32_t events) {
    if (events != watched_)
        origin_.loop_.change(fd_, *this, events);
    watched_ = events;
}

void Origin::Connection::ready(std::uint32_t) {
    if (state_ == State::kAnswer)
        return write();
    if (!read() || !understand())
        fd_.reset();
}

bool Origin::Connection::read() {
    std::array<char, 65536> bytes;
    const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    input_.append(bytes.data(), static_cast<std::size_t>(count));
    return count > 0;
}

// What is there of the request; false if it is none.
bool Origin::Connection::understand() {
    while (state_ != State::kAnswer) {
        if (state_ == State::kBody || state_ == State::kChunkData) {
            const std::size_t size = std::min(left_, input_.size());
            body(std::string_view(input_).substr(0, size));
            input_.erase(0, size);
            left_ -= size;
            if (left_ > 0)
                return true;
            if (state_ == State::kChunkData)
                state_ = State::kChunkEnd;
            else
                answer();
            continue;
        }
        const std::string_view mark = state_ == State::kHead ? "\r\n\r\n" : "\r\n";
        const std::size_t end = input_.find(mark);
        if (end == std::string::npos)
            return true;
        const std::string text = input_.substr(0, end + mark.size());
        input_.erase(0, text.size());
        if (!(state_ == State::kHead ? head(text) : line(text)))
            return false;
    }
    return true;
}

bool Origin::Connection::head(const std::string& text) {
    const auto head = test::parse_head(text, test::HttpKind::kRequest);
    std::uint64_t number = 0;
    if (!head || !head->target.starts_with('/') ||
        !test::parse_number(std::string_view(head->target).substr(1), number, 10))
        return false;
    message_.emplace(origin_.report_.mix, number);
    old_ = head->http_1_0;
    received_ = 0;
    exact_ = true;
    left_ = head->length.value_or(0);
    state_ = head->chunked ? State::kChunkLine : State::kBody;
    return true;
}

bool Origin::Connection::line(const std::string& text) {
    switch (state_) {
        case State::kChunkLine:
            if (!test::parse_number(test::trim(text.substr(0, text.find_first_of(";\r"))), left_,
                                    16))
                return false;
            state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
            return true;
        case State::kChunkEnd:
            state_ = State::kChunkLine;
            return text == "\r\n";
        default:
            if (text == "\r\n")
                answer();
            return true;
    }
}

void Origin::Connection::body(std::string_view bytes) {
    const auto whole = message_->body(origin_.blob_);
    exact_ = exact_ && received_ + bytes.size() <= whole.size() &&
             whole.substr(received_, bytes.size()) == bytes;
    received_ += bytes.size();
    origin_.report_.bytes += bytes.size();
}

void Origin::Connection::answer() {
    const Message& message = *message_;
    const auto slice = message.body(origin_.blob_);
    const bool chunks = message.shape == Shape::kChunked && !old_;
    std::string head = "HTTP/1.1 200 OK\r\nServer: soak\r\n";
    close_ = old_ || message.origin_closes;

    if (message.upload() && (!exact_ || received_ != message.size)) {
        ++origin_.report_.wrong;
        origin_.report_.say(message, "not what was uploaded");
    }
    if (message.shape == Shape::kNoContent) {
        head = "HTTP/1.1 204 No Content\r\nServer: soak\r\n";
    } else if (message.upload()) {
        head += "Content-Length: " + std::to_string(kThanks.size()) + "\r\n";
    } else if (chunks) {
        head += "Transfer-Encoding: chunked\r\n";
    } else if (message.shape == Shape::kUntilClose || message.shape == Shape::kChunked) {
        close_ = true;
    } else {
        head += "Content-Length: " + std::to_string(message.size) + "\r\n";
    }
    output_.push({head + (close_ ? "Connection: close\r\n\r\n" : "\r\n"), {}});
    if (chunks) {
        for (Part& part : chunked(slice, message.chunks, origin_.report_.mix))
            output_.push(std::move(part));
    } else if (message.upload()) {
        output_.push({std::string(kThanks), {}});
    } else if (message.shape != Shape::kNoContent && message.shape != Shape::kHead) {
        output_.push({"", slice});
    }
    state_ = State::kAnswer;
    write();
}

void Origin::Connection::write() {
    if (!output_.send(fd_, message_->sendfile ? &origin_.file_ : nullptr, origin_.blob_,
                      origin_.segment_))
        return fd_.reset();
    if (!output_.empty())
        return watch(EPOLLOUT);
    if (close_)
        return fd_.reset();
    state_ = State::kHead;
    watch(EPOLLIN);
    if (!input_.empty() && !understand())
        fd_.reset();
}

}  // namespace libra::soak
