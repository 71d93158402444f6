// SPDX-License-Identifier: GPL-2.0-only
// Counts what a policy's breaker watches, and says when it was too much.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "protocol.h"

namespace libra {

class BreakerWatch {
  public:
    using Clock = std::chrono::steady_clock;

    // @total: fail-stops of the policy so far, as the kernel counts them. True if as many as
    // the limit, or more, came within its time; what came before the first call counts not.
    bool trips(const Breaker& limit, std::uint64_t total, Clock::time_point now);

    void forget() { seen_.clear(); }

  private:
    struct Sample {
        Clock::time_point when;
        std::uint64_t total;
    };
    std::deque<Sample> seen_;  // the first is the last one that is older than the time
};

}  // namespace libra
