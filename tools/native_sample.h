// SPDX-License-Identifier: GPL-2.0-only
// What the proxies need natively, measured: for a while nothing is kept in the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "error.h"
#include "facts.h"
#include "unique_fd.h"

namespace libra {

// Processes that Libra works for: those with payload memory, and those that a policy attached
// a connection of.
std::vector<pid_t> proxies_of(const Facts& facts);

// CPU seconds of processes so far, and bytes that came in over IP in their network namespace.
struct Usage {
    std::map<pid_t, double> cpu;
    std::uint64_t bytes = 0;
};
// What of them is gone has none.
Result<Usage> read_usage(const std::vector<pid_t>& pids);
// IpExt InOctets of /proc/net/netstat.
std::optional<std::uint64_t> parse_in_octets(std::string_view netstat);

// What it cost to forward.
struct Cost {
    double cpu_seconds = 0;
    std::uint64_t bytes = 0;

    void add(const Usage& before, const Usage& now);
    // Nothing where too little was forwarded to say.
    std::optional<double> cpu_per_gb() const;
};

// Sysctls that are 0 while it lives. They are set back when it ends, and also when this process
// is killed: a child that waits for its end does it.
class SwitchedOff {
  public:
    static Result<SwitchedOff> begin(const std::vector<std::filesystem::path>& sysctls);
    SwitchedOff(SwitchedOff&&) noexcept = default;
    SwitchedOff& operator=(SwitchedOff&&) = delete;
    ~SwitchedOff();

  private:
    SwitchedOff(UniqueFd alive, pid_t guardian) : alive_(std::move(alive)), guardian_(guardian) {}

    UniqueFd alive_;
    pid_t guardian_;
};

}  // namespace libra
