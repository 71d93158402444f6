// SPDX-License-Identifier: GPL-2.0-only
// Connections of which several threads use the same one at the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/fd.h"
#include "common/random.h"

namespace libra::test {

// Closed when nobody uses it any more; until then its number is nobody else's.
class StormConnection {
  public:
    using Clock = std::chrono::steady_clock;

    // One send() on it.
    struct Turn {
        std::uint64_t number;
        bool alone;  // no other one was under way
    };

    StormConnection(Fd fd, Clock::time_point until) : fd_(std::move(fd)), until_(until) {}

    int fd() const { return fd_.get(); }
    const Fd& get() const { return fd_; }
    bool is_due() const { return Clock::now() >= until_; }

    // What a send() leaves belongs behind what it sent. So while somebody has such a rest, only
    // that may be sent: nobody else gets a turn.
    std::optional<Turn> begin(bool rest);
    // `left`: something was. Whether it may be sent later; otherwise others came between.
    bool end(const Turn& turn, bool left);

  private:
    Fd fd_;
    Clock::time_point until_;
    std::mutex lock_;
    std::uint64_t begun_ = 0;
    unsigned under_way_ = 0;
    bool rest_ = false;
};

using StormLink = std::shared_ptr<StormConnection>;

class StormPool {
  public:
    // No longer than that: what was adopted or passes keeps everything from being anchored.
    static constexpr std::uint64_t kShortest = 100;  // milliseconds
    static constexpr std::uint64_t kLongest = 3000;

    // `open` says no Fd when there is none to be had.
    StormPool(std::size_t size, std::function<Fd()> open) : places_(size), open_(std::move(open)) {}

    StormLink any(Random& random);  // may be none
    void drop(const StormLink& link);
    void shut();  // all that anybody uses, dropped ones as well

  private:
    std::mutex lock_;
    std::vector<StormLink> places_;
    std::vector<std::weak_ptr<StormConnection>> all_;
    std::function<Fd()> open_;
};

}  // namespace libra::test
