// SPDX-License-Identifier: GPL-2.0-only
// The connections and the loop that drives them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/body_check.h"
#include "common/epoll.h"
#include "common/fd.h"
#include "common/response.h"
#include "options.h"
#include "summary.h"
#include "target.h"

namespace libra::load {

using test::BodyCheck;
using test::Epoll;
using test::Fd;
using test::Response;

class Client {
  public:
    // `reference` must outlive the client. Throws Error.
    Client(const Options& options, Target target, std::string_view reference);

    // Throws Error only for failures of this machine, never for those of a peer.
    Summary run();

  private:
    using Clock = std::chrono::steady_clock;

    struct Connection {
        enum class State {
            kReady,  // between two requests
            kConnecting,
            kSending,
            kReading,
            kStopped,  // nothing more to ask for
        };

        explicit Connection(std::string_view reference) : body(reference) {}

        State state = State::kReady;
        Fd fd;
        std::uint32_t events = 0;     // what epoll watches
        std::size_t sent = 0;         // bytes of the request
        bool vanishes = false;        // this request will be aborted
        std::uint64_t read_left = 0;  // of this tick, when reading slowly
        Clock::time_point started;
        Clock::time_point wake;  // not before this moment
        Response response;
        BodyCheck body;
    };

    bool may_start(Clock::time_point now) const;
    void start(Connection& connection);
    bool connect(Connection& connection);
    void send(Connection& connection);
    void read(Connection& connection);
    bool consume(Connection& connection, std::string_view bytes);
    void complete(Connection& connection);
    void handle(Connection& connection, std::uint32_t events);
    void finish(Connection& connection, Outcome outcome, const std::string& detail);
    void watch(Connection& connection, std::uint32_t events);
    std::uint64_t index(const Connection& connection) const;
    int tick(Clock::time_point now);

    Options options_;
    Target target_;
    std::string request_;
    Epoll epoll_;
    std::vector<Connection> connections_;
    std::vector<char> buffer_;
    std::uint64_t started_ = 0;  // requests
    double vanish_share_ = 0;    // spreads abort_fraction evenly over the requests
    Clock::time_point begin_;
    Summary summary_;
};

}  // namespace libra::load
