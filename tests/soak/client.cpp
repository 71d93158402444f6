// SPDX-License-Identifier: GPL-2.0-only
#include "client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace libra::soak {
namespace {

constexpr std::size_t kPipelined = 4;
constexpr std::size_t kSlowRead = 32 * 1024;  // in one turn
constexpr int kSlowBuffer = 32 * 1024;
constexpr std::size_t kSlowBytes = 256 * 1024;  // of a body; then it hurries

// Whether more requests may follow at once: nothing is left of them when the
// connection ends with the answer.
bool may_be_followed(const Message& message) {
    return !message.upload() && message.shape != Shape::kUntilClose;
}

}  // namespace

Client::Client(Loop& loop, const Options& options, const Blob& blob, Report& report)
    : loop_(loop),
      options_(options),
      blob_(blob),
      report_(report),
      stall_until_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(options.stall))) {}

void Client::tick() {
    const auto now = Clock::now();
    for (Connection& connection : connections_)
        connection.tick(now);
    connections_.remove_if([](const Connection& connection) { return connection.gone(); });
    while (connections_.size() < options_.connections && next_ < options_.messages)
        connections_.emplace_back(*this, next_);
}

Client::Connection::Connection(Client& client, std::uint64_t first)
    : client_(client), random_(client.options_.mix.seed + ~first) {
    const auto& targets = client_.options_.targets;
    fd_ = test::connect_to(targets[random_.below(targets.size())]);
    stalled_ = client_.options_.stall > 0;
    slow_ = random_.one_in(8) && !stalled_;
    once_ = random_.one_in(3);
    if (slow_ || stalled_)
        test::set_buffers(fd_, 0, kSlowBuffer);
    client_.loop_.add(fd_, *this, 0);
    ask();
}

void Client::Connection::watch(std::uint32_t events) {
    if (events != watched_)
        client_.loop_.change(fd_, *this, events);
    watched_ = events;
}

// Takes the next messages; all but the last are followed at once.
void Client::Connection::ask() {
    const std::size_t batch = random_.one_in(3) ? random_.between(2, kPipelined) : 1;
    while (asked_.size() < batch && client_.next_ < client_.options_.messages) {
        asked_.emplace_back(client_.options_.mix, client_.next_++);
        if (!may_be_followed(asked_.back()))
            break;
    }
    if (asked_.empty())
        return fd_.reset();
    for (const Message& message : asked_)
        request(message, &message == &asked_.back());
    moved_ = Clock::now();
    begin();
    ready(EPOLLOUT);
}

void Client::Connection::request(const Message& message, bool last) {
    const auto body = message.body(client_.blob_);
    std::string head = message.upload() ? "POST" : message.shape == Shape::kHead ? "HEAD" : "GET";
    head += " /" + std::to_string(message.number) + " HTTP/1.1\r\nHost: soak\r\n";
    if (last && once_)
        head += "Connection: close\r\n";
    if (message.shape == Shape::kUploadLength)
        head += "Content-Length: " + std::to_string(message.size) + "\r\n";
    if (message.shape == Shape::kUploadChunked)
        head += "Transfer-Encoding: chunked\r\n";
    output_.push({head + "\r\n", {}});
    if (message.shape == Shape::kUploadLength)
        output_.push({"", body});
    if (message.shape == Shape::kUploadChunked)
        for (Part& part : chunked(body, message.chunks, client_.options_.mix))
            output_.push(std::move(part));
}

// The next answer.
void Client::Connection::begin() {
    const Message& message = asked_.front();
    response_.restart(message.shape == Shape::kHead, false);
    if (message.upload())
        body_ = test::BodyCheck(kThanks);
    else if (message.shape == Shape::kHead || message.shape == Shape::kNoContent)
        body_ = test::BodyCheck("");
    else
        body_ = test::BodyCheck(message.body(client_.blob_));
}

void Client::Connection::ready(std::uint32_t events) {
    if (!output_.empty()) {
        if (!output_.send(fd_, nullptr, client_.blob_))
            return fail(std::string("sending: ") + std::strerror(errno), &Report::broken);
        moved_ = Clock::now();
    }
    if (events & ~EPOLLOUT && !stalled_)
        read();
    if (fd_)
        watch((stalled_ || (slow_ && body_.received() < kSlowBytes) ? 0U : EPOLLIN) |
              (output_.empty() ? 0U : EPOLLOUT));
}

// A slow reader reads a little in each turn.
void Client::Connection::tick(Clock::time_point now) {
    if (!fd_)
        return;
    if (stalled_) {
        if (now < client_.stall_until_)
            return;
        stalled_ = false;
        moved_ = now;
        watch(watched_ | EPOLLIN);
    }
    if (slow_)
        watch(watched_ | EPOLLIN);
    if (now - moved_ > std::chrono::duration<double>(client_.options_.timeout))
        fail("a stall after " + std::to_string(body_.received()) + " bytes", &Report::stalls);
}

void Client::Connection::read() {
    static std::vector<char> bytes(256 * 1024);
    const bool slow = slow_ && body_.received() < kSlowBytes;
    const std::size_t room = slow ? random_.log_between(1000, kSlowRead) : bytes.size();
    const ssize_t count = ::recv(fd_.get(), bytes.data(), room, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count < 0)
        return fail(std::strerror(errno), &Report::broken);
    moved_ = Clock::now();
    if (count > 0)
        return feed({bytes.data(), static_cast<std::size_t>(count)});
    if (asked_.empty())
        return fd_.reset();
    if (!response_.finish_at_eof())
        return fail("the end after " + std::to_string(body_.received()) + " bytes",
                    &Report::broken);
    finish();
    if (!asked_.empty())
        return fail("the end before its answer", &Report::broken);
    fd_.reset();
}

void Client::Connection::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (asked_.empty())
            return fd_.reset();  // after the last answer's Connection: close
        const std::size_t before = body_.received();
        bytes.remove_prefix(response_.feed(bytes, body_));
        client_.report_.bytes += body_.received() - before;
        if (!body_.exact())
            return fail(body_.difference(), &Report::wrong);
        if (response_.bad())
            return fail("not an HTTP/1 response", &Report::broken);
        if (response_.done())
            finish();
        if (!fd_)
            return;
    }
    if (asked_.empty()) {
        if (once_ || closing_)
            fd_.reset();
        else
            ask();
    }
}

// The answer is complete.
void Client::Connection::finish() {
    const Message message = asked_.front();
    const int status = message.shape == Shape::kNoContent ? 204 : 200;
    if (response_.status() != status)
        return fail("status " + std::to_string(response_.status()), &Report::broken);
    if (message.shape == Shape::kHead && response_.content_length().value_or(0) != message.size)
        return fail("HEAD: a wrong Content-Length", &Report::wrong);
    if (!body_.finish())
        return fail(body_.difference(), &Report::wrong);
    closing_ = !response_.keep_alive();
    ++client_.report_.messages;
    asked_.pop_front();
    if (!asked_.empty())
        begin();
}

void Client::Connection::fail(const std::string& what, std::uint64_t Report::*count) {
    auto& report = client_.report_;
    report.say(asked_.front(), what);
    ++(report.*count);
    report.messages += asked_.size();
    asked_.clear();
    fd_.reset();
}

}  // namespace libra::soak
