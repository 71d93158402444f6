// SPDX-License-Identifier: GPL-2.0-only
#include "client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/error.h"
#include "common/socket.h"

namespace libra::load {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::Error;

constexpr std::size_t kBufferSize = 256 * 1024;
constexpr milliseconds kLongestWait(100);
constexpr milliseconds kReadTick(50);      // how often a slow reader reads
constexpr milliseconds kRefusedPause(10);  // before the next try to connect

}  // namespace

Client::Client(const Options& options, Target target, std::string_view reference)
    : options_(options), target_(std::move(target)), buffer_(kBufferSize) {
    request_ = options_.method + " " + target_.path + " HTTP/1.1\r\nHost: " + target_.host +
               "\r\n" + (options_.close ? "Connection: close\r\n" : "") +
               (options_.gzip ? "Accept-Encoding: gzip\r\n" : "") + "\r\n";
    connections_.reserve(options_.connections);
    for (unsigned i = 0; i < options_.connections; ++i)
        connections_.emplace_back(reference);
}

Summary Client::run() {
    begin_ = Clock::now();
    for (int wait = tick(begin_); wait >= 0; wait = tick(Clock::now())) {
        for (const epoll_event& event : epoll_.wait(milliseconds(wait)))
            handle(connections_[event.data.u64], event.events);
    }
    summary_.set_seconds(duration<double>(Clock::now() - begin_).count());
    return std::move(summary_);
}

// Starts, times out and wakes what is due; returns for how many milliseconds
// nothing else is, or -1 when all is done.
int Client::tick(Clock::time_point now) {
    const auto limit = duration_cast<Clock::duration>(duration<double>(options_.timeout));
    auto next = now + kLongestWait;
    bool active = false;

    for (auto& connection : connections_) {
        using State = Connection::State;
        if (connection.state == State::kReady && connection.wake <= now) {
            if (may_start(now))
                start(connection);
            else
                connection.state = State::kStopped;
        }
        if (connection.state == State::kStopped) {
            connection.fd.reset();
            continue;
        }
        active = true;
        if (connection.state == State::kReady) {
            next = std::min(next, std::max(connection.wake, now));
            continue;
        }
        if (now - connection.started > limit) {
            finish(connection, Outcome::kTimeout,
                   "after " + std::to_string(connection.body.received()) + " body bytes");
            next = now;
            continue;
        }
        if (connection.state == State::kReading && connection.events == 0) {
            if (connection.wake <= now) {
                connection.read_left =
                    std::max<std::uint64_t>(1, options_.read_rate * kReadTick.count() / 1000);
                watch(connection, EPOLLIN);
            } else {
                next = std::min(next, connection.wake);
            }
        }
    }
    if (!active)
        return -1;
    return static_cast<int>(std::chrono::ceil<milliseconds>(next - now).count());
}

bool Client::may_start(Clock::time_point now) const {
    if (options_.requests > 0 && started_ >= options_.requests)
        return false;
    return options_.duration <= 0 || now - begin_ < duration<double>(options_.duration);
}

void Client::start(Connection& connection) {
    ++started_;
    connection.started = Clock::now();
    connection.sent = 0;
    connection.body.restart();
    connection.response.restart(options_.method == "HEAD", options_.gzip);
    connection.vanishes = false;
    if (options_.abort_after > 0) {
        vanish_share_ += options_.abort_fraction;
        connection.vanishes = vanish_share_ >= 1;
        if (connection.vanishes)
            vanish_share_ -= 1;
    }
    if (connection.fd || connect(connection))
        send(connection);
}

// True when the connection stands at once.
bool Client::connect(Connection& connection) {
    connection.fd = Fd(::socket(target_.address.ss_family,
                                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!connection.fd)
        throw Error::from_errno("socket");
    const int fd = connection.fd.get();
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (options_.receive_buffer > 0)
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options_.receive_buffer,
                     sizeof(options_.receive_buffer));

    epoll_.add(connection.fd, 0, index(connection));
    connection.events = 0;

    if (::connect(fd, reinterpret_cast<const sockaddr*>(&target_.address), target_.address_size) ==
        0)
        return true;
    if (errno == EINPROGRESS) {
        connection.state = Connection::State::kConnecting;
        watch(connection, EPOLLOUT);
    } else {
        finish(connection, Outcome::kConnect, std::strerror(errno));
    }
    return false;
}

void Client::handle(Connection& connection, std::uint32_t events) {
    switch (connection.state) {
        case Connection::State::kConnecting:
            if (const int error = test::pending_error(connection.fd))
                finish(connection, Outcome::kConnect, std::strerror(error));
            else
                send(connection);
            break;
        case Connection::State::kSending:
            send(connection);
            break;
        case Connection::State::kReading:
            // A slow reader that does not watch is still told of a reset.
            if (connection.events == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0)
                finish(connection, Outcome::kReset,
                       std::strerror(test::pending_error(connection.fd)));
            else
                read(connection);
            break;
        case Connection::State::kReady:
        case Connection::State::kStopped:
            break;
    }
}

void Client::send(Connection& connection) {
    while (connection.sent < request_.size()) {
        const ssize_t count = ::send(connection.fd.get(), request_.data() + connection.sent,
                                     request_.size() - connection.sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) {
            connection.state = Connection::State::kSending;
            watch(connection, EPOLLOUT);
            return;
        }
        if (count < 0)
            return finish(connection, Outcome::kReset, std::strerror(errno));
        connection.sent += static_cast<std::size_t>(count);
    }
    connection.state = Connection::State::kReading;
    connection.wake = {};
    if (options_.read_rate > 0)
        watch(connection, 0);  // tick() lets it read
    else
        watch(connection, EPOLLIN);
}

// One recv per wake-up: level-triggered epoll comes back for the rest, and no
// connection starves the others.
void Client::read(Connection& connection) {
    std::size_t room = buffer_.size();
    if (options_.read_rate > 0)
        room = std::min<std::uint64_t>(room, connection.read_left);
    const ssize_t count = ::recv(connection.fd.get(), buffer_.data(), room, 0);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return;
        return finish(connection, Outcome::kReset,
                      std::string(std::strerror(errno)) + " after " +
                          std::to_string(connection.body.received()) + " body bytes");
    }
    if (count == 0) {
        if (connection.response.finish_at_eof())
            return complete(connection);
        return finish(connection, Outcome::kTruncated,
                      connection.response.begun()
                          ? "after " + std::to_string(connection.body.received()) + " body bytes"
                          : "before the first byte of the response");
    }
    if (consume(connection, {buffer_.data(), static_cast<std::size_t>(count)}))
        return;

    if (options_.read_rate > 0) {
        connection.read_left -= static_cast<std::uint64_t>(count);
        if (connection.read_left == 0) {
            connection.wake = Clock::now() + kReadTick;
            watch(connection, 0);
        }
    }
}

// True when these bytes ended the request.
bool Client::consume(Connection& connection, std::string_view bytes) {
    auto& response = connection.response;
    const std::size_t before = connection.body.received();
    const std::size_t taken = response.feed(bytes, connection.body);
    summary_.add_bytes(connection.body.received() - before);
    if (response.bad()) {
        finish(connection, Outcome::kMalformed, "not an HTTP/1 response");
        return true;
    }
    if (connection.vanishes && connection.body.received() >= options_.abort_after) {
        finish(connection, Outcome::kAborted, "");
        return true;
    }
    if (!response.done())
        return false;
    if (taken < bytes.size())
        finish(connection, Outcome::kMalformed, "bytes behind the end of the response");
    else
        complete(connection);
    return true;
}

void Client::complete(Connection& connection) {
    const auto& response = connection.response;
    auto& body = connection.body;
    if (response.status() != options_.status)
        return finish(connection, Outcome::kStatus, std::to_string(response.status()));
    if (options_.method == "HEAD") {
        if (response.content_length().value_or(0) == body.expected())
            return finish(connection, Outcome::kExact, "");
        return finish(connection, Outcome::kMismatch, "HEAD: wrong or no Content-Length");
    }
    body.finish();
    finish(connection, Outcome::kExact, "");
}

// Ends the request. Wrong bytes outweigh every other outcome, unless they are
// the body of an error page.
void Client::finish(Connection& connection, Outcome outcome, const std::string& detail) {
    const auto& response = connection.response;
    const bool judged = outcome != Outcome::kMalformed && outcome != Outcome::kStatus &&
                        response.state() != Response::State::kHead &&
                        response.status() == options_.status;
    const bool wrong = judged && !connection.body.exact();
    const auto latency = duration_cast<microseconds>(Clock::now() - connection.started);
    if (wrong)
        summary_.record(Outcome::kMismatch, latency, connection.body.difference());
    else
        summary_.record(outcome, latency, detail);

    const bool whole =
        outcome == Outcome::kExact || outcome == Outcome::kMismatch || outcome == Outcome::kStatus;
    if (!whole || options_.close || !response.keep_alive()) {
        if (outcome == Outcome::kAborted && options_.abort_reset) {
            const linger hard = {.l_onoff = 1, .l_linger = 0};
            ::setsockopt(connection.fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        }
        connection.fd.reset();
    } else {
        watch(connection, 0);
    }
    connection.state = Connection::State::kReady;
    connection.wake = {};
    if (outcome == Outcome::kConnect)
        connection.wake = Clock::now() + kRefusedPause;
}

void Client::watch(Connection& connection, std::uint32_t events) {
    if (connection.events == events)
        return;
    epoll_.modify(connection.fd, events, index(connection));
    connection.events = events;
}

std::uint64_t Client::index(const Connection& connection) const {
    return static_cast<std::uint64_t>(&connection - connections_.data());
}

}  // namespace libra::load
