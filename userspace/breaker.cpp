// SPDX-License-Identifier: GPL-2.0-only
#include "breaker.h"

namespace libra {

bool BreakerWatch::trips(const Breaker& limit, std::uint64_t total, Clock::time_point now) {
    if (limit.fail_stops == 0) {
        forget();
        return false;
    }
    // The kernel began to count anew.
    if (!seen_.empty() && total < seen_.back().total)
        forget();
    if (seen_.empty() || total != seen_.back().total)
        seen_.push_back({now, total});
    const auto horizon = now - std::chrono::seconds(limit.seconds);
    while (seen_.size() > 1 && seen_[1].when <= horizon)
        seen_.pop_front();
    return total - seen_.front().total >= limit.fail_stops;
}

}  // namespace libra
