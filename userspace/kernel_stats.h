// SPDX-License-Identifier: GPL-2.0-only
// /proc/net/libra_stat: "name value" lines of this network namespace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.h"

namespace libra {

inline constexpr const char* kStatFile = "/proc/net/libra_stat";

using KernelStats = std::vector<std::pair<std::string, std::uint64_t>>;  // in the kernel's order

Result<KernelStats> parse_kernel_stats(std::string_view text);
Result<KernelStats> read_kernel_stats(const char* path = kStatFile);

// One line for a reader. Never empty: the kernel may know more than we do.
std::string describe_stat(std::string_view name);

// The same for why a parser passes (LIBRA_REASON_LIST); empty where it did not say.
std::string describe_reason(std::string_view name);

}  // namespace libra
