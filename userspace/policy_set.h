// SPDX-License-Identifier: GPL-2.0-only
// The policies in force, and how they become the rules that the attach program
// reads. No system calls here.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "bpf/policy.h"
#include "cgroup.h"
#include "error.h"
#include "protocol.h"

namespace libra {

struct Rule {
    Endpoint endpoint;
    libra_rule compiled{};
    bool has_slot = false;  // compiled.slot is its own
};

// Where a policy applies, found out by the caller.
struct Scope {
    std::uint64_t netns_cookie = 0;
    std::uint64_t cgroup_id = 0;  // 0: any, or kNoCgroup

    bool operator==(const Scope&) const = default;
};

// Who asked for a policy: a configuration only replaces its own.
enum class Origin { client, config };

struct Policy {
    // Its cgroup is not there: it is in force, and no connection matches.
    bool waits() const { return scope.cgroup_id == kNoCgroup; }

    std::uint32_t id = 0;
    Origin origin = Origin::client;
    bool tripped = false;  // by its breaker: as in Stage::listeners until resumed
    AttachRequest request;
    Scope scope;
    libra_attach attach{};
    std::vector<Rule> rules;
};

// Its id, and its name if it has one.
std::string full_name(const Policy& policy);

struct NewPolicy {
    AttachRequest request;
    Scope scope;
    Origin origin = Origin::client;
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
    using Ids = std::vector<std::uint32_t>;

    // All of it, or nothing: policies go, and others come, whose ids these are. What is not
    // safe as a whole is refused.
    Result<Ids> change(const Ids& remove, const std::vector<NewPolicy>& add);

    // Those of the configuration come in its order, at the place where they
    // began in @before; clients' policies keep theirs, ahead of all of them or behind. Returns
    // which of those that stayed have another one ahead of them, or behind, than before.
    Ids arrange(const std::vector<AttachRequest>& order, const PolicySet& before);

    // The same for one, and for one or all. All rules of the request, or none.
    Result<Policy> add(const AttachRequest& request, const Scope& scope);
    Result<Ids> remove(std::optional<std::uint32_t> id);

    // What a former librad had in force, as it was there.
    static Result<PolicySet> restore(std::vector<Policy> policies, std::uint32_t last_id);

    const std::vector<Policy>& policies() const { return policies_; }
    std::uint32_t last_id() const { return last_id_; }
    const Policy* find(std::uint32_t id) const;
    Status set_tripped(std::uint32_t id, bool tripped);
    // Their cgroups are others now, or are there at last, or no more.
    Status set_cgroups(const std::map<std::uint32_t, std::uint64_t>& cgroup_ids);
    bool anchors_requests() const;
    // These policies as at this stage, the others in full.
    libra_policy compile(const std::vector<std::uint32_t>& staged = {},
                         Stage stage = Stage::all) const;

  private:
    // Where a rule's connections are counted.
    using Slots = std::bitset<LIBRA_MAX_RULES>;
    static Slots slots_of(const std::vector<Policy>& policies);
    // before: the slots of a set that may come back, whose counters are spared where there is room.
    static Status give_slots(std::vector<Policy>& policies, const Slots& before);

    std::vector<Policy> policies_;
    std::uint32_t last_id_ = 0;
};

}  // namespace libra
