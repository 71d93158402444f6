// SPDX-License-Identifier: GPL-2.0-only
// What the client saw.
#pragma once

#include <cstdint>
#include <string>

#include "histogram.h"

namespace libra::bench {

struct Report {
    bool verify = false;
    Histogram latency;  // of the good requests that count
    std::uint64_t bytes = 0;
    double seconds = 0;
    double user = 0;
    double system = 0;
    // Of the whole run, warm-up included: what went wrong is never discarded.
    std::uint64_t errors = 0;
    std::uint64_t mismatches = 0;
    std::string first_error;

    bool clean() const { return errors == 0 && mismatches == 0; }
    std::string json() const;
};

}  // namespace libra::bench
