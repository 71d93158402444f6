// SPDX-License-Identifier: GPL-2.0-only
// An epoll set that says of each descriptor what it was told with it.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <span>

#include "fd.h"

namespace libra::test {

class Epoll {
  public:
    Epoll();  // all of these throw Error
    void add(const Fd& fd, std::uint32_t events, std::uint64_t data);
    void modify(const Fd& fd, std::uint32_t events, std::uint64_t data);
    // What happened within `limit` (negative: for ever).
    std::span<const epoll_event> wait(std::chrono::nanoseconds limit);

  private:
    void control(int how, const Fd& fd, std::uint32_t events, std::uint64_t data);

    Fd fd_;
    epoll_event events_[256] = {};
};

}  // namespace libra::test
