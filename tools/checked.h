// SPDX-License-Identifier: GPL-2.0-only
// What the kernel found when it looked for copied messages on their way out: counters, and
// /proc/net/libra_altered, of which the columns are described in libra.rst.
#pragma once

#include <string>
#include <string_view>

#include "kernel_stats.h"
#include "protocol.h"

namespace libra {

inline constexpr const char* kAlteredFile = "/proc/net/libra_altered";

// The lines of that file, the latest first. Headers are what somebody's peer sent: of them
// only the request line and the content type are kept, without control characters.
Result<Json> parse_altered(std::string_view text);

// {"messages", "unaltered", "altered", "unsent", "skipped", "dry_run_bytes",
// "anchorable_bytes", "last_altered": [...]}
Json checked_answer(const KernelStats& stats, Json altered);

std::string report_checked(const Json& answer);

}  // namespace libra
