// SPDX-License-Identifier: GPL-2.0-only
#include "client.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iostream>

namespace libra::bench {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kScan(50);   // how often requests out of time are looked for
constexpr milliseconds kPause(10);  // after a failed connect
constexpr std::string_view kUploaded = "ok";
constexpr std::uint64_t kStop = UINT64_MAX;  // no connection's index

std::chrono::steady_clock::duration from_seconds(double seconds) {
    return duration_cast<std::chrono::steady_clock::duration>(duration<double>(seconds));
}

double to_seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

rusage usage() {
    rusage now = {};
    ::getrusage(RUSAGE_SELF, &now);
    return now;
}

}  // namespace

Client::Client(const Options& options)
    : options_(options),
      timeout_(from_seconds(options.timeout)),
      pattern_(make_pattern(options.size, options.vary ? kBodies : 1)),
      request_(build_request(0)) {
    connections_.reserve(options_.connections);
    for (unsigned i = 0; i < options_.connections; ++i) {
        connections_.emplace_back(request_);
        idle_.push_back(&connections_.back());
    }
    total_ = options_.requests;
    if (open_loop()) {
        warm_up_requests_ =
            static_cast<std::uint64_t>(std::llround(options_.warm_up * options_.rate));
        if (total_ == 0)
            total_ = static_cast<std::uint64_t>(
                std::max(1LL, std::llround(options_.seconds * options_.rate)));
    }
    report_.verify = options_.verify;
    if (options_.tls)
        tls_.emplace();
    if (options_.linger) {
        lingers_ = true;
        stop_ = stop_signal();
        epoll_.add(stop_, EPOLLIN, kStop);
    }
}

Client::Request Client::build_request(std::uint64_t number) const {
    const std::string size = std::to_string(options_.size);
    const auto body = pattern_.slice(begin_of(number), options_.size);
    const std::string which = options_.vary ? "/" + std::to_string(number) : "";
    std::string fields = "Host: " + options_.address.text + "\r\n";
    if (options_.one_shot)
        fields += "Connection: close\r\n";
    if (options_.gzip)
        fields += "Accept-Encoding: gzip\r\n";
    const std::string put = options_.verify ? "PUT /verify" + which : "PUT /sink";
    Request request{.bytes = {}, .answer = upload() ? kUploaded : body};
    std::string& bytes = request.bytes;
    switch (options_.shape) {
        case Shape::kDownload:
            bytes = "GET /bytes/" + size + which + " HTTP/1.1\r\n" + fields + "\r\n";
            break;
        case Shape::kChunked:
            bytes = "GET /chunked/" + size + which + " HTTP/1.1\r\n" + fields + "\r\n";
            break;
        case Shape::kUpload:
            bytes = put + " HTTP/1.1\r\n" + fields + "Content-Length: " + size + "\r\n\r\n";
            break;
        case Shape::kUploadChunked:
            bytes = put + " HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n";
            break;
    }
    request.head = bytes.size();
    if (options_.shape == Shape::kUpload)
        bytes += body;
    if (options_.shape == Shape::kUploadChunked)
        bytes.append(in_chunks(body, options_.chunk)).append(kLastChunk);
    return request;
}

Report Client::run() {
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // a late start counts as latency
    begin_ = Clock::now();
    window_begin_ =
        open_loop() ? due_of(warm_up_requests_) : begin_ + from_seconds(options_.warm_up);
    for (;;) {
        const Time now = Clock::now();
        if (!in_window_ && !measured_ && now >= window_begin_)
            enter_window(now);
        if (now - last_scan_ >= kScan)
            fail_overdue(now);
        start_due();
        if (in_window_ && window_over(now))
            leave_window(now);
        if (measured_ && !lingers_ && busy_ == 0)
            return std::move(report_);
        const auto wait = std::max<Clock::duration>(next_wake(now) - now, Clock::duration::zero());
        for (const epoll_event& event : epoll_.wait(duration_cast<nanoseconds>(wait))) {
            if (event.data.u64 != kStop)
                handle(connections_[event.data.u64], event.events);
            else if (measured_)
                lingers_ = false;
            else
                throw Error("ended before the window was over");
        }
    }
}

void Client::enter_window(Time now) {
    in_window_ = true;
    window_begin_ = now;
    const rusage used = usage();
    report_.user = -to_seconds(used.ru_utime);
    report_.system = -to_seconds(used.ru_stime);
    std::cerr << "measuring" << std::endl;
}

void Client::leave_window(Time now) {
    in_window_ = false;
    measured_ = true;
    report_.seconds = duration<double>(now - window_begin_).count();
    const rusage used = usage();
    report_.user += to_seconds(used.ru_utime);
    report_.system += to_seconds(used.ru_stime);
    std::cerr << "measured" << std::endl;
}

bool Client::window_over(Time now) const {
    const bool time = now - window_begin_ >= from_seconds(options_.seconds);
    // However slow the machine is: without answers there is nothing to say of it.
    return time && (total_ == 0 ? window_done_ >= options_.at_least : counted_done_ >= total_);
}

// Whether a closed loop has more to ask for.
bool Client::asks() const {
    return measured_ ? lingers_ : total_ == 0 || counted_issued_ < total_;
}

Client::Time Client::due_of(std::uint64_t number) const {
    return begin_ + from_seconds(static_cast<double>(number) / options_.rate);
}

// Whether a request is due; if so, it is taken from the schedule.
bool Client::take_due(Time now, Time& due, bool& counted) {
    if (open_loop()) {
        if (issued_ == warm_up_requests_ + total_ || due_of(issued_) > now)
            return false;
        due = due_of(issued_);
        counted = issued_++ >= warm_up_requests_;
        return true;
    }
    if (!asks())
        return false;
    due = now;
    counted = in_window_;
    counted_issued_ += counted ? 1 : 0;
    return true;
}

void Client::start_due() {
    const Time now = Clock::now();
    while (!paused_.empty() && paused_.front().until <= now) {
        idle_.push_back(paused_.front().connection);
        paused_.pop_front();
    }
    Time due;
    bool counted = false;
    // Each connection once: those that fail at once come back in the next turn.
    for (std::size_t left = idle_.size(); left > 0 && take_due(now, due, counted); --left) {
        Connection& connection = *idle_.front();
        idle_.pop_front();
        start(connection, due, counted);
    }
}

void Client::fail_overdue(Time now) {
    last_scan_ = now;
    if (open_loop()) {
        Time due;
        bool counted = false;
        while (take_due(now - timeout_, due, counted)) {
            ++report_.errors;
            counted_done_ += counted ? 1 : 0;
            note("timeout: no connection was free in time");
        }
    }
    for (Connection& connection : connections_)
        if (connection.state != State::kIdle && now - connection.due > timeout_)
            fail(connection,
                 "timeout: after " + std::to_string(connection.sent) + " bytes of the request, " +
                     std::to_string(connection.reader.received()) + " of the answer's body");
}

Client::Time Client::next_wake(Time now) const {
    if (in_window_ && total_ > 0 && counted_done_ >= total_ && options_.seconds == 0)
        return now;
    Time next = last_scan_ + kScan;
    if (!in_window_ && !measured_)
        next = std::min(next, window_begin_);
    if (in_window_ && options_.seconds > 0 && window_begin_ + from_seconds(options_.seconds) > now)
        next = std::min(next, window_begin_ + from_seconds(options_.seconds));
    if (!paused_.empty())
        next = std::min(next, paused_.front().until);
    if (!idle_.empty()) {
        if (open_loop() && issued_ < warm_up_requests_ + total_)
            next = std::min(next, due_of(issued_));
        if (!open_loop() && asks())
            next = now;
    }
    return next;
}

// Without a number of requests, those count that end in the window.
bool Client::counts(const Connection& connection) const {
    return total_ > 0 ? connection.counted : in_window_;
}

void Client::start(Connection& connection, Time due, bool counted) {
    ++busy_;
    connection.due = due;
    connection.counted = counted;
    connection.sent = 0;
    connection.paid = 0;
    if (options_.vary) {
        connection.own = build_request((*options_.vary + varied_++) % kBodies);
        connection.request = &connection.own;
        connection.check = test::BodyCheck(connection.own.answer);
    }
    connection.check.restart();
    connection.reader.restart();
    if (connection.fd)
        return send(connection);

    int error = 0;
    connection.fd = connect_to(options_.address, error);
    if (tls_)
        connection.tls.emplace(*tls_, connection.fd);
    connection.reader.drop();
    connection.state = State::kConnecting;
    connection.blocked = error == EINPROGRESS;
    epoll_.add(connection.fd, EPOLLIN | (connection.blocked ? EPOLLOUT : 0U), index(connection));
    if (error == 0)
        send(connection);
    else if (error != EINPROGRESS)
        fail(connection, std::string("connect: ") + std::strerror(error), true);
}

void Client::handle(Connection& connection, std::uint32_t events) {
    switch (connection.state) {
        case State::kIdle:
            look_at_idle(connection);
            break;
        case State::kConnecting:
            if (const int error = pending_error(connection.fd))
                fail(connection, std::string("connect: ") + std::strerror(error), true);
            else if ((events & EPOLLOUT) != 0)
                send(connection);
            break;
        case State::kSending:
            if ((events & EPOLLIN) != 0)
                read(connection);
            if (connection.state == State::kSending)
                send(connection);
            break;
        case State::kReading:
            read(connection);
            break;
    }
}

// The server may close what is idle; it may not say anything.
void Client::look_at_idle(Connection& connection) {
    if (!connection.fd)
        return;
    char byte = 0;
    const ssize_t count = connection.tls ? connection.tls->receive(&byte, 1)
                                         : ::recv(connection.fd.get(), &byte, 1, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count > 0) {
        ++report_.errors;
        note("malformed: bytes behind the end of the answer");
    }
    connection.close();
}

void Client::send(Connection& connection) {
    const std::string& bytes = connection.request->bytes;
    const std::size_t head = connection.request->head;
    while (connection.sent < bytes.size()) {
        const std::string_view left = std::string_view(bytes).substr(connection.sent);
        const ssize_t count =
            connection.tls ? connection.tls->send(left.data(), left.size())
                           : ::send(connection.fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) {
            connection.state = State::kSending;
            return watch(connection, !connection.tls || connection.tls->wants_room());
        }
        if (count < 0)
            return fail(connection, std::string("send: ") + std::strerror(errno));
        connection.sent += static_cast<std::size_t>(count);
        if (upload() && connection.sent > head)
            // Framing is spread over the payload: exact where it ends.
            pay(connection, static_cast<std::uint64_t>(static_cast<double>(connection.sent - head) /
                                                       static_cast<double>(bytes.size() - head) *
                                                       static_cast<double>(options_.size)));
    }
    connection.state = State::kReading;
    watch(connection, false);
}

// `bytes` of the request's payload have passed by now.
void Client::pay(Connection& connection, std::uint64_t bytes) {
    if (counts(connection))
        report_.bytes += bytes - connection.paid;
    connection.paid = bytes;
}

void Client::read(Connection& connection) {
    using Result = MessageReader::Result;
    auto& reader = connection.reader;
    auto* const check = options_.verify || upload() ? &connection.check : nullptr;
    Tls* const tls = connection.tls ? &*connection.tls : nullptr;
    Result result = reader.read(connection.fd, check, tls);
    if (result == Result::kHead)
        result = reader.read(connection.fd, check, tls);
    if (options_.gzip)
        // Our payload hardly compresses, so this is about what it stands for; exact in the end.
        pay(connection,
            result == Result::kDone ? options_.size : std::min(reader.received(), options_.size));
    else if (!upload())
        pay(connection, reader.received());
    switch (result) {
        case Result::kMore:
        case Result::kHead:
            break;
        case Result::kDone:
            complete(connection);
            break;
        case Result::kClosed:
            fail(connection, "truncated: closed before the answer");
            break;
        case Result::kTruncated:
            fail(connection, "truncated: closed after " + std::to_string(reader.received()) +
                                 " bytes of the answer's body");
            break;
        case Result::kBad:
            fail(connection, "malformed: not an HTTP/1 answer");
            break;
        case Result::kFailed:
            fail(connection, std::string("receive: ") + std::strerror(reader.error()));
            break;
    }
}

void Client::complete(Connection& connection) {
    const auto& reader = connection.reader;
    const int status = reader.head().status;
    const bool refused = upload() && options_.verify && status == 400;
    if (refused) {
        ++report_.mismatches;
        note("mismatch: the origin got other bytes (400)");
    } else if (status != 200) {
        return fail(connection, "status: " + std::to_string(status));
    } else if (reader.buffered() > 0) {
        return fail(connection, "malformed: bytes behind the end of the answer");
    } else if (connection.sent < connection.request->bytes.size()) {
        return fail(connection, "early: answered before the request was sent");
    } else if (reader.head().coding != (options_.gzip ? "gzip" : "")) {
        return fail(connection, options_.gzip ? "coding: not gzip" : "coding: not asked for");
    } else if (const std::size_t size = connection.check.expected();
               !options_.gzip && !options_.verify && reader.received() != size) {
        return fail(connection, "length: the body has " + std::to_string(reader.received()) +
                                    " bytes, not " + std::to_string(size));
    } else if ((options_.verify || upload()) && !connection.check.finish()) {
        return fail(connection, "body: " + connection.check.difference());
    } else if (counts(connection)) {
        report_.latency.record(static_cast<std::uint64_t>(
            duration_cast<nanoseconds>(Clock::now() - connection.due).count()));
    }
    finish(connection, !options_.one_shot && reader.head().keep_alive);
}

// Wrong bytes outweigh whatever else went wrong.
void Client::fail(Connection& connection, const std::string& why, bool pause) {
    const bool judged =
        options_.verify && connection.reader.begun() && connection.reader.head().status == 200;
    if (judged && !connection.check.exact()) {
        ++report_.mismatches;
        note("mismatch: " + connection.check.difference());
    } else {
        ++report_.errors;
        note(why);
    }
    finish(connection, false, pause);
}

void Client::finish(Connection& connection, bool keep, bool pause) {
    --busy_;
    counted_done_ += connection.counted ? 1 : 0;
    window_done_ += in_window_ ? 1 : 0;
    connection.state = State::kIdle;
    if (!keep)
        connection.close();
    if (pause)
        paused_.push_back({Clock::now() + kPause, &connection});
    else
        idle_.push_back(&connection);
}

void Client::watch(Connection& connection, bool blocked) {
    if (connection.blocked == blocked)
        return;
    connection.blocked = blocked;
    epoll_.modify(connection.fd, EPOLLIN | (blocked ? EPOLLOUT : 0U), index(connection));
}

void Client::note(const std::string& why) {
    if (report_.first_error.empty())
        report_.first_error = why;
}

}  // namespace libra::bench
