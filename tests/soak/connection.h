// SPDX-License-Identifier: GPL-2.0-only
// What both ends share: an epoll loop, output that waits for room, and the report.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "common/epoll.h"
#include "common/socket.h"
#include "message.h"

namespace libra::soak {

using test::Fd;

struct Report {
    std::uint64_t messages = 0;  // that ended, however
    std::uint64_t bytes = 0;     // of bodies, compared
    std::uint64_t wrong = 0;     // messages with a wrong byte or length
    std::uint64_t broken = 0;    // resets, early ends, another status, not HTTP
    std::uint64_t stalls = 0;
    void say(const Message& message, const std::string& what) const;
    Mix mix;
};

class Handler {
  public:
    virtual ~Handler() = default;
    virtual void ready(std::uint32_t events) = 0;
};

class Loop {
  public:
    void add(const Fd& fd, Handler& handler, std::uint32_t events);
    void change(const Fd& fd, Handler& handler, std::uint32_t events);
    void wait(int milliseconds);

  private:
    test::Epoll epoll_;
};

class Output {
  public:
    void push(Part part) {
        if (!part.bytes().empty())
            parts_.push_back(std::move(part));
    }
    bool empty() const { return parts_.empty(); }
    // As much as there is room for; false if the connection is gone. With a file
    // that holds the blob, slices are sent from there. A segment: bytes of each send.
    bool send(const Fd& fd, const Fd* file, const Blob& blob, std::size_t segment = 0);

  private:
    std::deque<Part> parts_;
    std::size_t sent_ = 0;  // of the first
};

}  // namespace libra::soak
