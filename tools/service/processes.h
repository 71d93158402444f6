// SPDX-License-Identifier: GPL-2.0-only
// The processes of a service, and what /proc says of them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "error.h"
#include "host.h"

namespace libra::service {

// Of this cgroup and of those below it. Empty, if it is not there.
std::vector<pid_t> processes_of(const Host& host, const std::string& cgroup);

// The cgroup (v2) of a process, below the root of cgroups.
Result<std::string> cgroup_of(const Host& host, pid_t pid);

struct Preloaded {
    bool library = false;  // is mapped
    bool payload = false;  // memory is mapped
};

// None where it may not be looked at, or has ended.
std::optional<Preloaded> look_at_memory(const Host& host, pid_t pid,
                                        const std::filesystem::path& library);

// Open connections of these processes, which share a network namespace.
std::size_t connections_of(const Host& host, const std::vector<pid_t>& pids);

}  // namespace libra::service
