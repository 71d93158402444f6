// SPDX-License-Identifier: GPL-2.0-only
// Who listens where, as /proc has it. A proxy that listens at more addresses than
// a policy names sends tokens, as if they were data, to the clients of the others.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "address.h"

namespace libra {

struct Listener {
    Endpoint endpoint;  // prefix: 128; 96 for 0.0.0.0, and 0 for [::]
    std::uint64_t inode = 0;
};

// The TCP listeners of this network namespace, and of that of a process (/proc/PID).
std::vector<Listener> read_listeners(const std::filesystem::path& proc);
std::vector<Listener> listeners_of(const std::filesystem::path& process);

// Listeners of processes that have one which `own` names as well, and all of whose
// connections none of `named` matches. Both are what policies name. Sorted; what
// cannot be read is left out.
std::vector<std::string> left_out(const std::filesystem::path& proc,
                                  const std::vector<Endpoint>& own,
                                  const std::vector<Endpoint>& named);

// The same of these processes (/proc/PID), which have some of these listeners.
std::vector<std::string> left_out_by(const std::vector<std::filesystem::path>& processes,
                                     const std::vector<Listener>& listeners,
                                     const std::vector<Endpoint>& own,
                                     const std::vector<Endpoint>& named);

}  // namespace libra
