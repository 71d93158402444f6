// SPDX-License-Identifier: GPL-2.0-only
// Counters of two moments, side by side.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_stats.h"
#include "protocol.h"

namespace libra {

struct StatChange {
    std::string name;
    std::uint64_t total = 0;
    double rate = 0;     // per second
    bool gauge = false;  // it says what is now, and may fall: there is no rate
};

// Counters that were set back (another module, or one loaded anew) begin again.
std::vector<StatChange> stat_changes(const KernelStats& before, const KernelStats& now,
                                     double seconds);

// Those that are not 0, or all of them.
std::string report_changes(const std::vector<StatChange>& changes, bool all);

Json changes_json(const std::vector<StatChange>& changes, double seconds);

}  // namespace libra
