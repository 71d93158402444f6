// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>

#include "error.h"

namespace libra {

// Of no cgroup: what a rule has whose cgroup is not there. No socket matches it.
inline constexpr std::uint64_t kNoCgroup = UINT64_MAX;

// The id of a directory in the cgroup v2 file system. ENOENT: there may be one under this name
// some day; after any other error, not.
Result<std::uint64_t> cgroup_id(const std::string& path);

}  // namespace libra
