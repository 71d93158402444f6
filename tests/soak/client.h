// SPDX-License-Identifier: GPL-2.0-only
// The clients: each connection takes the next messages, a few at a time, and
// compares what comes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <vector>

#include "common/response.h"
#include "connection.h"

namespace libra::soak {

struct Options {
    std::vector<std::uint16_t> origins{8001};
    std::vector<std::uint16_t> targets{8101};
    std::uint64_t messages = 5000;
    Mix mix;
    std::size_t segment = 0;  // payload bytes of each send by the origin
    double stall = 0;         // seconds from the start during which no client reads
    unsigned connections = 16;
    double timeout = 60;  // seconds without a byte
};

class Client {
  public:
    using Clock = std::chrono::steady_clock;

    Client(Loop& loop, const Options& options, const Blob& blob, Report& report);
    // Opens connections and ends those that stall; between two rounds of the loop.
    void tick();
    bool done() const { return next_ >= options_.messages && connections_.empty(); }

  private:
    class Connection : public Handler {
      public:
        Connection(Client& client, std::uint64_t first);
        void ready(std::uint32_t events) override;
        void tick(Clock::time_point now);
        bool gone() const { return !fd_; }

      private:
        void ask();
        void request(const Message& message, bool last);
        void read();
        void feed(std::string_view bytes);
        void begin();
        void finish();
        void fail(const std::string& what, std::uint64_t Report::*count);
        void watch(std::uint32_t events);

        Client& client_;
        Random random_;
        Fd fd_;
        std::uint32_t watched_ = 0;
        std::deque<Message> asked_;
        Output output_;
        test::Response response_;
        test::BodyCheck body_{""};
        bool slow_;
        bool stalled_;
        bool once_;  // one batch, then closes
        bool closing_ = false;
        Clock::time_point moved_ = Clock::now();
    };

    Loop& loop_;
    Options options_;
    const Blob& blob_;
    Report& report_;
    std::uint64_t next_ = 0;
    Clock::time_point stall_until_;
    std::list<Connection> connections_;
};

}  // namespace libra::soak
