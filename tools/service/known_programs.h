// SPDX-License-Identifier: GPL-2.0-only
// What is known of proxies, and matters when one is attached.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "drop_in.h"
#include "unit.h"

namespace libra::service {

// The LIBRA_MALLOC_MIN to write: the one that is wished for, or, unless there is another already,
// one for a program whose buffers are smaller by default than the library takes.
std::optional<std::size_t> min_block_for(const std::filesystem::path& program, const Wishes& wishes,
                                         bool has_another);

// What to know, one sentence each, whatever its configuration: see tuning.h for that.
std::vector<std::string> advice(const Unit& unit, bool module_comes_with_boot);

// What there is in place of a restart, and what it is worth.
std::string without_restart(const Unit& unit);

// The command that tells whether it would start; empty if unknown.
std::string configuration_check(const Unit& unit);

// Does a line in /etc/modules-load.d, or its like, load the module at boot?
bool module_comes_with_boot(const std::vector<std::filesystem::path>& directories = {
                                "/etc/modules-load.d", "/run/modules-load.d",
                                "/usr/lib/modules-load.d"});

}  // namespace libra::service
