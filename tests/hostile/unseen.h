// SPDX-License-Identifier: GPL-2.0-only
// Ways out of the forwarder that Libra does not see: what takes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/blob.h"
#include "exchange.h"

namespace libra::test {

struct Unseen {
    std::string way;           // "attached" is the control
    std::uint64_t bytes = 0;   // that arrived
    std::uint64_t native = 0;  // of these: what the standard stack would have sent
    std::uint64_t tokens = 0;  // VPIs among the others
    std::uint64_t stale = 0;   // bytes of stale memory
};

// Reads one body of `size` bytes at once and forwards it, in each way.
std::vector<Unseen> forward_unseen(const Network& network, const Blob& blob,
                                   const std::string& magic, std::size_t size);

// What the proxy's memory holds after it read a body.
std::string read_body(const Network& network, std::string_view body,
                      const std::string& request = "");

// The eight bytes that all VPIs begin with, or "" if nothing is anchored: what a
// forwarder can learn from its own memory.
std::string learn_magic(const Network& network, bool http1);

}  // namespace libra::test
