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

// What of a policy is in force while it begins or ends. In this order, or else
// a peer could receive a token: payload is only kept where every connection
// that it may leave through is attached.
enum class Stage {
    listeners,  // connections from clients are attached; nothing is kept
    responses,  // those to upstreams as well; payload of requests is not kept
    all,
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
    bool anchors_requests() const;
    // These policies as at this stage, the others in full.
    libra_policy compile(const std::vector<std::uint32_t>& staged = {},
                         Stage stage = Stage::all) const;

  private:
    std::optional<std::uint32_t> free_slot(const Policy& pending) const;

    std::vector<Policy> policies_;
    std::uint32_t last_id_ = 0;
};

}  // namespace libra
