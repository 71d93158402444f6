// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "error.h"
#include "unique_fd.h"

namespace libra {

// epoll with a callback per descriptor. One thread; callbacks must not block.
class EventLoop {
  public:
    using Callback = std::function<void(std::uint32_t events)>;

    static Result<EventLoop> create();

    Status add(int fd, std::uint32_t events, Callback callback);
    void modify(int fd, std::uint32_t events);
    void remove(int fd);  // also from inside the descriptor's own callback

    Status run();  // until stop()
    void stop() { stopped_ = true; }

  private:
    explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

    UniqueFd epoll_;
    std::unordered_map<int, std::shared_ptr<Callback>> callbacks_;
    bool stopped_ = false;
};

}  // namespace libra
