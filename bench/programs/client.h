// SPDX-License-Identifier: GPL-2.0-only
// The load client. Closed loop: a connection asks again as soon as it has its
// answer. Open loop: requests are due at fixed intervals, whether or not a
// connection is free, and their latency counts from when they were due.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/body_check.h"
#include "message.h"
#include "net.h"
#include "pattern.h"
#include "report.h"
#include "tls.h"

namespace libra::bench {

enum class Shape { kDownload, kChunked, kUpload, kUploadChunked };

struct Options {
    Endpoint address;
    Shape shape = Shape::kDownload;
    std::uint64_t size = 0;
    std::size_t chunk = 16384;
    unsigned connections = 1;
    double seconds = 0;
    std::uint64_t requests = 0;  // 0: for `seconds`
    std::uint64_t at_least = 1;  // answers in `seconds`, which are as long as that takes
    double warm_up = 0;
    double rate = 0;  // 0: closed loop
    double timeout = 30;
    bool one_shot = false;
    bool verify = false;
    std::optional<std::uint64_t> vary;  // each request has another body, from this one on
    bool tls = false;
    bool gzip = false;    // ask for it, and take nothing else
    bool linger = false;  // go on after the window, until SIGTERM
};

class Client {
  public:
    explicit Client(const Options& options);
    Report run();

  private:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;

    // Head and body lie in one buffer.
    struct Request {
        std::string bytes;
        std::size_t head = 0;       // what of it is no body
        std::string_view answer{};  // its body
    };

    struct Connection {
        enum class State { kIdle, kConnecting, kSending, kReading };

        explicit Connection(const Request& request) : request(&request), check(request.answer) {}

        void close() {
            tls.reset();
            fd.reset();
        }

        Fd fd;
        std::optional<Tls> tls;
        State state = State::kIdle;
        Time due;                // when the request should have started
        bool counted = false;    // it is one of those that were asked for
        bool blocked = false;    // EPOLLOUT is watched
        const Request* request;  // the one that all have, or:
        Request own;
        std::size_t sent = 0;
        std::uint64_t paid = 0;  // payload bytes reported so far
        test::BodyCheck check;
        MessageReader reader{Kind::kResponse};
    };
    using State = Connection::State;

    Request build_request(std::uint64_t body) const;

    // the schedule
    bool open_loop() const { return options_.rate > 0; }
    void enter_window(Time now);
    void leave_window(Time now);
    bool window_over(Time now) const;
    bool asks() const;  // closed loop
    void start_due();
    bool take_due(Time now, Time& due, bool& counted);
    Time due_of(std::uint64_t number) const;  // open loop
    void fail_overdue(Time now);
    Time next_wake(Time now) const;
    bool counts(const Connection& connection) const;

    // one request
    void start(Connection& connection, Time due, bool counted);
    void handle(Connection& connection, std::uint32_t events);
    void look_at_idle(Connection& connection);
    void send(Connection& connection);
    void read(Connection& connection);
    void complete(Connection& connection);
    void pay(Connection& connection, std::uint64_t bytes);
    void fail(Connection& connection, const std::string& why, bool pause = false);
    void finish(Connection& connection, bool keep, bool pause = false);
    void watch(Connection& connection, bool blocked);
    bool upload() const {
        return options_.shape == Shape::kUpload || options_.shape == Shape::kUploadChunked;
    }
    std::uint64_t index(const Connection& connection) const {
        return static_cast<std::uint64_t>(&connection - connections_.data());
    }
    void note(const std::string& why);

    Options options_;
    std::optional<TlsContext> tls_;
    Fd stop_;  // of a client that lingers
    Clock::duration timeout_;
    test::Blob pattern_;
    Request request_;
    std::uint64_t varied_ = 0;  // requests with bodies of their own
    Epoll epoll_;
    std::vector<Connection> connections_;
    std::deque<Connection*> idle_;
    struct Pause {
        Time until;
        Connection* connection = nullptr;
    };
    std::deque<Pause> paused_;  // after a failed connect
    std::size_t busy_ = 0;      // connections with a request
    Time begin_;
    Time window_begin_;
    Time last_scan_;
    bool in_window_ = false;
    bool measured_ = false;
    bool lingers_ = false;                // nobody has said that it is enough
    std::uint64_t warm_up_requests_ = 0;  // open loop
    std::uint64_t total_ = 0;             // counted ones to make; 0: until the time is over
    std::uint64_t issued_ = 0;            // open loop, warm-up included
    std::uint64_t counted_issued_ = 0;
    std::uint64_t counted_done_ = 0;  // well or not
    std::uint64_t window_done_ = 0;   // in the window, well or not
    double cpu_user_ = 0;
    double cpu_system_ = 0;
    Report report_;
};

}  // namespace libra::bench
