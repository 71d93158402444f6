// SPDX-License-Identifier: GPL-2.0-only
// VPIs that this kernel did not mint, or not for this: none may be accepted.
#pragma once

#include <cstdint>
#include <string>

#include "exchange.h"

namespace libra::test {

struct Forged {
    std::uint64_t refused = 0;   // the connection was aborted, and nothing arrived
    std::uint64_t plain = 0;     // not taken for a VPI: arrived as it was sent
    std::uint64_t accepted = 0;  // anything else
    double seconds = 0;
    std::string complaint;  // about the first that was accepted
};

// `count` of them, or as many as `seconds` allow.
Forged forge(const Network& network, const std::string& magic, std::uint64_t seed,
             std::uint64_t count, double seconds);

}  // namespace libra::test
