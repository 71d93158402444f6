// SPDX-License-Identifier: GPL-2.0-only
// The attach program in the kernel and its maps.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/policy.h"
#include "bpf_object.h"
#include "error.h"

namespace libra {

// What the service needs of it; tests put something else here.
class PolicyBackend {
  public:
    virtual ~PolicyBackend() = default;

    // Replaces the whole policy. On return no connection is being looked up
    // in the old one.
    virtual Status install(const libra_policy& policy) = 0;

    virtual Status clear_counters(std::uint32_t slot) = 0;

    // Summed over CPUs; last_error is the latest.
    virtual Result<libra_rule_counters> counters(std::uint32_t slot) = 0;
};

class PolicyProgram final : public PolicyBackend {
  public:
    // Loaded with an empty policy and attached for as long as this lives.
    static Result<PolicyProgram> load();

    Status install(const libra_policy& policy) override;
    Status clear_counters(std::uint32_t slot) override;
    Result<libra_rule_counters> counters(std::uint32_t slot) override;

  private:
    explicit PolicyProgram(BpfObject object) : object_(std::move(object)) {}

    BpfObject object_;
    std::vector<BpfLink> links_;  // after object_: detached before the object closes
    int policies_fd_ = -1;
    int counters_fd_ = -1;
    std::size_t cpus_ = 0;
};

}  // namespace libra
