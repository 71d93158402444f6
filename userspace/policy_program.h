// SPDX-License-Identifier: GPL-2.0-only
// The attach program in the kernel, its iterators and their maps.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/policy.h"
#include "bpf_object.h"
#include "error.h"
#include "pins.h"

namespace libra {

// What the service needs of it; tests put something else here.
class PolicyBackend {
  public:
    virtual ~PolicyBackend() = default;

    // Replaces the whole policy. On return no connection is being looked up
    // in the old one.
    virtual Status install(const libra_policy& policy) = 0;

    // Attaches the connections that are there already and match a rule of the
    // installed policy with this role, LIBRA_MATCH_*; all of them, or an error.
    virtual Status adopt(std::uint32_t role) = 0;

    // Nothing more is anchored on the connections of this policy.
    virtual Status stop(std::uint32_t policy) = 0;

    // Connections that could not be attached, nor were adopted since. While there are any,
    // the kernel keeps nothing.
    virtual Result<std::uint64_t> unattached() = 0;

    // So many of them are attached by now, or gone.
    virtual Status attached_since(std::uint64_t count) = 0;

    virtual Status clear_counters(std::uint32_t slot) = 0;

    // Summed over CPUs; last_error is the latest.
    virtual Result<libra_rule_counters> counters(std::uint32_t slot) = 0;

    // Connections of a policy that were aborted.
    virtual Result<std::uint64_t> fail_stops(std::uint32_t policy) = 0;
    virtual Status clear_fail_stops(std::uint32_t policy) = 0;

    // What is in force, perhaps since before this process.
    virtual Result<libra_policy> installed() = 0;
};

class PolicyProgram final : public PolicyBackend {
  public:
    // Attached for as long as this lives, with an empty policy; or, with @pins, for as long
    // as they are there, with the policy that was in force before.
    static Result<PolicyProgram> load(const Pins* pins = nullptr);

    Status install(const libra_policy& policy) override;
    Status adopt(std::uint32_t role) override;
    Status stop(std::uint32_t policy) override;
    Result<std::uint64_t> unattached() override;
    Status attached_since(std::uint64_t count) override;
    Status clear_counters(std::uint32_t slot) override;
    Result<libra_rule_counters> counters(std::uint32_t slot) override;
    Result<std::uint64_t> fail_stops(std::uint32_t policy) override;
    Status clear_fail_stops(std::uint32_t policy) override;
    Result<libra_policy> installed() override;

  private:
    explicit PolicyProgram(BpfObject object) : object_(std::move(object)) {}

    // Runs an iterator; what it was asked, and found, is in sweep.
    Status run(const char* iterator, libra_sweep& sweep);

    Status forget_fail_stops();

    BpfObject object_;
    std::vector<BpfLink> links_;  // after object_: detached before the object closes
    int policies_fd_ = -1;
    int counters_fd_ = -1;
    int sweeps_fd_ = -1;
    int fail_stops_fd_ = -1;
    std::size_t cpus_ = 0;
};

}  // namespace libra
