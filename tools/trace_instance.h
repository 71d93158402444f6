// SPDX-License-Identifier: GPL-2.0-only
// A buffer of tracefs of one's own: what others trace is not disturbed, nor seen.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "error.h"
#include "unique_fd.h"

namespace libra {

struct TraceFilter {
    std::vector<std::string> events;  // without libra_
    std::vector<pid_t> pids;          // these, and their children; none: any
    std::string connection;           // in the kernel's filter language; empty: any
};

// "(sport == 80 && dport == 4242) || ...": a connection in both directions; 0: any port.
std::string trace_connection_filter(std::uint16_t port, std::uint16_t peer_port);

class TraceInstance {
  public:
    // What runs that were killed left behind goes as well.
    static Result<TraceInstance> create(const std::filesystem::path& tracefs);
    TraceInstance(TraceInstance&& other) noexcept;
    TraceInstance& operator=(TraceInstance&&) = delete;
    ~TraceInstance();

    Status begin(const TraceFilter& filter);
    // Whole lines, as far as there are any now.
    Result<std::vector<std::string>> read_lines();
    int fd() const { return pipe_.get(); }

  private:
    explicit TraceInstance(std::filesystem::path directory) : directory_(std::move(directory)) {}

    std::filesystem::path directory_;
    UniqueFd pipe_;
    std::string partial_;
};

// Where tracefs is mounted.
Result<std::filesystem::path> find_tracefs();

// Removes instances of processes that are gone; returns how many.
std::size_t remove_stale_instances(const std::filesystem::path& tracefs,
                                   const std::filesystem::path& proc = "/proc");

}  // namespace libra
