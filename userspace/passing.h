// SPDX-License-Identifier: GPL-2.0-only
// /proc/net/libra_passing: the connections for whose sake domains of this network
// namespace keep nothing in the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace libra {

inline constexpr const char* kPassingFile = "/proc/net/libra_passing";

struct PassingConnection {
    std::string role;  // client or upstream
    std::string peer;
    std::string local;
    std::string reason;  // as its counter is called
    std::uint64_t seconds = 0;
    std::string said;  // why, by its parser (LIBRA_REASON_LIST), if it was asked
};

struct PassingDomain {
    std::uint32_t domain = 0;
    std::uint64_t clients = 0;
    std::uint64_t upstreams = 0;
    std::vector<PassingConnection> oldest;  // not all of them
};

Result<std::vector<PassingDomain>> parse_passing(const std::string& text);
// None where the kernel has no such file.
Result<std::vector<PassingDomain>> read_passing(const char* path = kPassingFile);

}  // namespace libra
