// SPDX-License-Identifier: GPL-2.0-only
// The policies in force, and how they become the rules that the attach program
// reads. No system calls here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "bpf/policy.h"
#include "error.h"
#include "protocol.h"

namespace libra {

struct Rule {
    Endpoint endpoint;
    libra_rule compiled{};
};

struct Policy {
    std::uint32_t id = 0;
    std::string cgroup;  // as the client named it, empty: any
    libra_attach attach{};
    std::vector<Rule> rules;
};

// Where a policy applies, found out by the caller.
struct Scope {
    std::uint64_t netns_cookie = 0;
    std::uint64_t cgroup_id = 0;  // 0: any
};

// Cheap to copy: a change is made on a copy, which replaces the original once
// the kernel has taken it.
class PolicySet {
  public:
    // All rules of the request, or none.
    Result<Policy> add(const AttachRequest& request, const Scope& scope);

    // The ids that are gone.
    Result<std::vector<std::uint32_t>> remove(std::optional<std::uint32_t> id);

    const std::vector<Policy>& policies() const { return policies_; }
    libra_policy compile() const;

  private:
    std::optional<std::uint32_t> free_slot(const Policy& pending) const;

    std::vector<Policy> policies_;
    std::uint32_t last_id_ = 0;
};

}  // namespace libra
