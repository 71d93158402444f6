// SPDX-License-Identifier: GPL-2.0-only
// What Libra counted in this network namespace.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <string>

#include "common/error.h"

namespace libra::test {

using Counters = std::map<std::string, std::uint64_t>;

inline bool counters_exist() {
    return std::ifstream("/proc/net/libra_stat").good();
}

inline Counters read_counters() {
    std::ifstream stat("/proc/net/libra_stat");
    if (!stat)
        throw Error("no /proc/net/libra_stat: load the module, or use --plain");
    Counters counters;
    std::string name;
    std::uint64_t value = 0;
    while (stat >> name >> value)
        counters[name] = value;
    return counters;
}

}  // namespace libra::test
