// SPDX-License-Identifier: GPL-2.0-only
// Processes as /proc has them: which service they are of, what sockets are theirs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "error.h"

namespace libra {

struct Process {
    pid_t pid = 0;
    std::string name;    // without anything that could steer a terminal
    std::string cgroup;  // of version 2: /system.slice/nginx.service
    pid_t parent = 0;
    pid_t session = 0;
    std::uint64_t net = 0;  // its network namespace; 0: not known
    std::set<std::uint64_t> sockets;
    bool preloads = false;  // its environment names libra-malloc.so
    bool library = false;   // it has it in memory

    // nginx.service; where no unit has it, its cgroup, or its name.
    std::string service() const;
};

// Memory maps are long: not for who reads all processes each second.
enum class Depth { sockets, all };

// Nothing if it is gone. What may not be read is left empty.
std::optional<Process> read_process(const std::filesystem::path& proc, pid_t pid, Depth depth);

// All processes, but no threads of the kernel.
std::vector<Process> read_processes(const std::filesystem::path& proc, Depth depth);

// What a user calls a service: a pid (its children as well: workers), a cgroup
// (/system.slice/nginx.service, or the directory), or a unit (nginx, nginx.service).
class ServiceName {
  public:
    explicit ServiceName(std::string text);
    std::set<pid_t> pids(const std::vector<Process>& processes) const;

  private:
    bool names(const Process& process) const;

    std::optional<pid_t> pid_;
    std::string cgroup_;  // it, and what is below it
    std::string unit_;
};

}  // namespace libra
