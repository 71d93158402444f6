// SPDX-License-Identifier: GPL-2.0-only
#include "policy_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstring>
#include <iterator>

namespace libra {
namespace {

// An anchored payload leaves as a token through whatever socket the proxy
// chooses. If that socket is not attached, its peer is sent the token. So where
// one side of a domain anchors, the other side has to be attached as well.
Status check_domains(const std::vector<Policy>& policies) {
    for (const Policy& policy : policies) {
        if (policy.attach.mode != LIBRA_MODE_TOKEN)
            continue;
        std::uint32_t needed = 0;
        for (const Rule& rule : policy.rules) {
            if (rule.compiled.roles & LIBRA_MATCH_ACTIVE)
                needed |= LIBRA_MATCH_PASSIVE;
            if ((rule.compiled.roles & LIBRA_MATCH_PASSIVE) &&
                (policy.attach.flags & LIBRA_F_ANCHOR_REQUESTS))
                needed |= LIBRA_MATCH_ACTIVE;
        }
        for (const Policy& other : policies) {
            if (other.attach.domain != policy.attach.domain ||
                other.attach.mode != LIBRA_MODE_TOKEN)
                continue;
            for (const Rule& rule : other.rules)
                needed &= ~std::uint32_t{rule.compiled.roles};
        }
        if (!needed)
            continue;
        const bool listener = needed & LIBRA_MATCH_PASSIVE;
        return Error(
            fmt::format("{} would reach {} as tokens: add {} ADDR:PORT of the proxy to domain {}, "
                        "in mode token",
                        listener ? "responses" : "requests", listener ? "clients" : "upstreams",
                        listener ? "--listen" : "--upstream", policy.attach.domain),
            EINVAL);
    }
    return Ok{};
}

bool overlap(const libra_rule& a, const libra_rule& b) {
    if (!(a.roles & b.roles & LIBRA_MATCH_ACTIVE) || (a.port && b.port && a.port != b.port) ||
        (a.cgroup_id && b.cgroup_id && a.cgroup_id != b.cgroup_id))
        return false;
    for (std::size_t i = 0; i < std::size(a.addr); ++i) {
        if ((a.addr[i] ^ b.addr[i]) & a.mask[i] & b.mask[i])
            return false;
    }
    return true;
}

// The first rule that matches decides: of two domains over one upstream, one would get
// all connections to it, and with them payload that the other's clients wait for.
Status check_upstreams(const std::vector<Policy>& policies) {
    for (const Policy& policy : policies) {
        for (const Policy& other : policies) {
            if (&other == &policy)
                break;
            if (other.attach.domain == policy.attach.domain ||
                other.attach.mode != LIBRA_MODE_TOKEN || policy.attach.mode != LIBRA_MODE_TOKEN)
                continue;
            // cgroups of two names, of which nothing more is known yet
            if (other.waits() && policy.waits() && other.request.cgroup != policy.request.cgroup)
                continue;
            for (const Rule& rule : policy.rules) {
                const auto taken = std::find_if(
                    other.rules.begin(), other.rules.end(),
                    [&](const Rule& first) { return overlap(first.compiled, rule.compiled); });
                if (taken != other.rules.end())
                    return Error(
                        fmt::format("upstream {}: its connections belong to domain {} by policy "
                                    "{} already, and what they bring cannot be sent to clients of "
                                    "domain {}; use that domain, another upstream or --cgroup",
                                    format_endpoint(rule.endpoint), other.attach.domain, other.id,
                                    policy.attach.domain),
                        EINVAL);
            }
        }
    }
    return Ok{};
}

Rule make_rule(const Endpoint& endpoint, std::uint32_t roles, const Scope& scope,
               const libra_attach& attach) {
    Rule rule;
    rule.endpoint = endpoint;
    std::array<std::uint8_t, 16> mask{};
    for (unsigned bit = 0; bit < endpoint.prefix; ++bit)
        mask[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    static_assert(sizeof(rule.compiled.addr) == 16 && sizeof(rule.compiled.mask) == 16);
    std::memcpy(rule.compiled.addr, endpoint.address.data(), 16);
    std::memcpy(rule.compiled.mask, mask.data(), 16);
    rule.compiled.netns_cookie = scope.netns_cookie;
    rule.compiled.cgroup_id = scope.cgroup_id;
    rule.compiled.port = endpoint.port;
    rule.compiled.roles = static_cast<std::uint16_t>(roles);
    rule.compiled.attach = attach;
    return rule;
}

// As libra_attach.flags has it: one of 2^(n - 1). In mode dry-run there is no other use of it.
std::uint32_t check_flags(const AttachRequest& request) {
    std::uint32_t one_of = request.check.one_of;
    if (one_of && request.mode == LIBRA_MODE_DRY_RUN)
        one_of = 1;
    return static_cast<std::uint32_t>(std::bit_width(one_of)) << LIBRA_F_CHECK_SHIFT;
}

// Fills everything in but the slots of the rules.
Result<Policy> make_policy(const NewPolicy& wanted, std::uint32_t id) {
    const AttachRequest& request = wanted.request;
    Policy policy;
    policy.id = id;
    policy.origin = wanted.origin;
    policy.request = request;
    policy.scope = wanted.scope;
    if (request.parser.empty() || request.parser.size() >= sizeof(policy.attach.parser))
        return Error(
            fmt::format("parser names have 1 to {} characters", sizeof(policy.attach.parser) - 1),
            EINVAL);
    std::memcpy(policy.attach.parser, request.parser.data(), request.parser.size());
    policy.attach.domain = request.domain;
    policy.attach.mode = request.mode;
    policy.attach.flags = (request.anchor_requests ? LIBRA_F_ANCHOR_REQUESTS : 0) |
                          (request.no_scrub ? LIBRA_F_NO_SCRUB : 0) | check_flags(request);
    policy.attach.policy = policy.id;

    const auto append_all = [&](const std::vector<std::string>& texts, Prefix prefix,
                                std::uint32_t role) -> Status {
        for (const std::string& text : texts) {
            const auto endpoint = parse_endpoint(text, prefix);
            if (!endpoint)
                return endpoint.error();
            policy.rules.push_back(make_rule(*endpoint, role, policy.scope, policy.attach));
        }
        return Ok{};
    };
    if (auto status = append_all(request.listen, Prefix::refused, LIBRA_MATCH_PASSIVE); !status)
        return std::move(status).error().context("listener");
    if (auto status = append_all(request.upstream, Prefix::allowed, LIBRA_MATCH_ACTIVE); !status)
        return std::move(status).error().context("upstream");
    if (!policy.rules.empty())
        return policy;
    // a cgroup alone stands for all its connections
    if (policy.scope.cgroup_id == 0)
        return Error("nothing to attach: name a listener, an upstream or a cgroup", EINVAL);
    if (request.anchor_requests)
        return Error(
            "--anchor-requests with --cgroup needs --listen and --upstream: which "
            "connections that are there already lead to an upstream cannot be told",
            EINVAL);
    policy.rules.push_back(make_rule(Endpoint{}, LIBRA_MATCH_PASSIVE | LIBRA_MATCH_ACTIVE,
                                     policy.scope, policy.attach));
    return policy;
}

Status check_names(const std::vector<Policy>& policies) {
    for (const Policy& policy : policies) {
        for (const Policy& other : policies) {
            if (&other == &policy)
                break;
            if (!policy.request.name.empty() && policy.request.name == other.request.name)
                return Error(fmt::format("there is a policy '{}' already, with id {}",
                                         policy.request.name, other.id),
                             EEXIST);
        }
    }
    return Ok{};
}

Status check(const std::vector<Policy>& policies) {
    if (auto status = check_names(policies); !status)
        return status;
    if (auto status = check_domains(policies); !status)
        return status;
    return check_upstreams(policies);
}

bool contains(const PolicySet::Ids& ids, std::uint32_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// For what is said of a new one.
std::string label(const AttachRequest& request) {
    return request.name.empty() ? "" : fmt::format("policy '{}'", request.name);
}

}  // namespace

std::string full_name(const Policy& policy) {
    return policy.request.name.empty() ? fmt::format("{}", policy.id)
                                       : fmt::format("{} ({})", policy.id, policy.request.name);
}

PolicySet::Slots PolicySet::slots_of(const std::vector<Policy>& policies) {
    Slots slots;
    for (const Policy& policy : policies) {
        for (const Rule& rule : policy.rules) {
            if (rule.has_slot)
                slots.set(rule.compiled.slot);
        }
    }
    return slots;
}

Status PolicySet::give_slots(std::vector<Policy>& policies, const Slots& before) {
    Slots used = slots_of(policies);
    Slots avoided = used | before;
    const auto first_free = [](const Slots& slots) {
        std::uint32_t slot = 0;
        while (slot < slots.size() && slots.test(slot))
            ++slot;
        return slot;
    };
    for (Policy& policy : policies) {
        for (Rule& rule : policy.rules) {
            if (rule.has_slot)
                continue;
            const Slots& taken = avoided.all() ? used : avoided;
            const std::uint32_t slot = first_free(taken);
            if (slot == LIBRA_MAX_RULES)
                return Error(fmt::format("there is room for {} rules; detach a policy first",
                                         LIBRA_MAX_RULES),
                             ENOSPC);
            used.set(slot);
            avoided.set(slot);
            rule.compiled.slot = slot;
            rule.has_slot = true;
        }
    }
    return Ok{};
}

Result<PolicySet::Ids> PolicySet::change(const Ids& remove, const std::vector<NewPolicy>& add) {
    std::vector<Policy> next;
    std::uint32_t last_id = last_id_;
    Ids added;
    for (const Policy& policy : policies_) {
        if (!contains(remove, policy.id))
            next.push_back(policy);
    }
    for (const NewPolicy& wanted : add) {
        auto policy = make_policy(wanted, last_id + 1);
        if (!policy) {
            const std::string who = label(wanted.request);
            return who.empty() ? std::move(policy).error() : std::move(policy).error().context(who);
        }
        added.push_back(++last_id);
        next.push_back(std::move(policy).value());
    }
    // How many rules there are comes first: the check compares them with each other.
    if (auto status = give_slots(next, slots_of(policies_)); !status)
        return std::move(status).error();
    if (auto status = check(next); !status)
        return std::move(status).error();
    policies_ = std::move(next);
    last_id_ = last_id;
    return added;
}

PolicySet::Ids PolicySet::arrange(const std::vector<AttachRequest>& order,
                                  const PolicySet& before) {
    Ids ahead;
    for (const Policy& policy : before.policies_) {
        if (policy.origin == Origin::config)
            break;
        ahead.push_back(policy.id);
    }
    const auto place = [&](const Policy& policy) -> std::size_t {
        if (policy.origin == Origin::client)
            return contains(ahead, policy.id) ? 0 : order.size() + 1;
        const auto at = std::find_if(
            order.begin(), order.end(),
            [&policy](const AttachRequest& each) { return each.name == policy.request.name; });
        return static_cast<std::size_t>(at - order.begin()) + 1;
    };
    std::stable_sort(policies_.begin(), policies_.end(),
                     [&place](const Policy& a, const Policy& b) { return place(a) < place(b); });

    Ids moved;
    for (std::size_t i = 0; i < policies_.size(); ++i) {
        const Policy* const was = before.find(policies_[i].id);
        if (!was || was->origin != Origin::config)
            continue;
        for (std::size_t j = 0; j < policies_.size(); ++j) {
            const Policy* const other = before.find(policies_[j].id);
            if (!other || (other < was) == (j < i))
                continue;
            moved.push_back(was->id);
            break;
        }
    }
    return moved;
}

Result<Policy> PolicySet::add(const AttachRequest& request, const Scope& scope) {
    const auto added = change({}, {NewPolicy{request, scope, Origin::client}});
    if (!added)
        return added.error();
    return policies_.back();
}

Result<PolicySet::Ids> PolicySet::remove(std::optional<std::uint32_t> id) {
    Ids removed;
    for (const Policy& policy : policies_) {
        if (!id || policy.id == *id)
            removed.push_back(policy.id);
    }
    if (id && removed.empty())
        return Error(fmt::format("there is no policy {}", *id), ENOENT);
    if (auto status = change(removed, {}); !status)
        return std::move(status).error().context(id ? fmt::format("without policy {}", *id)
                                                    : "without all policies");
    return removed;
}

Result<PolicySet> PolicySet::restore(std::vector<Policy> policies, std::uint32_t last_id) {
    PolicySet set;
    for (Policy& policy : policies) {
        auto again = make_policy({policy.request, policy.scope, policy.origin}, policy.id);
        if (!again)
            return std::move(again).error().context(fmt::format("policy {}", policy.id));
        if (again->rules.size() != policy.rules.size())
            return Error(fmt::format("policy {} has {} rules, not {}", policy.id,
                                     again->rules.size(), policy.rules.size()),
                         EINVAL);
        for (std::size_t i = 0; i < policy.rules.size(); ++i) {
            again->rules[i].compiled.slot = policy.rules[i].compiled.slot;
            again->rules[i].has_slot = true;
        }
        again->tripped = policy.tripped;
        set.policies_.push_back(std::move(again).value());
    }
    if (auto status = check(set.policies_); !status)
        return std::move(status).error();
    std::bitset<LIBRA_MAX_RULES> used;
    for (const Policy& policy : set.policies_) {
        if (policy.id == 0 || policy.id > last_id)
            return Error(fmt::format("policy {} is none of the first {}", policy.id, last_id),
                         EINVAL);
        for (const Policy& other : set.policies_) {
            if (&other != &policy && other.id == policy.id)
                return Error(fmt::format("two policies have the id {}", policy.id), EINVAL);
        }
        for (const Rule& rule : policy.rules) {
            if (rule.compiled.slot >= LIBRA_MAX_RULES || used.test(rule.compiled.slot))
                return Error(fmt::format("policy {}: slot {} is taken, or none", policy.id,
                                         rule.compiled.slot),
                             EINVAL);
            used.set(rule.compiled.slot);
        }
    }
    set.last_id_ = last_id;
    return set;
}

const Policy* PolicySet::find(std::uint32_t id) const {
    const auto found = std::find_if(policies_.begin(), policies_.end(),
                                    [id](const Policy& policy) { return policy.id == id; });
    return found == policies_.end() ? nullptr : &*found;
}

Status PolicySet::set_tripped(std::uint32_t id, bool tripped) {
    for (Policy& policy : policies_) {
        if (policy.id != id)
            continue;
        policy.tripped = tripped;
        return Ok{};
    }
    return Error(fmt::format("there is no policy {}", id), ENOENT);
}

Status PolicySet::set_cgroups(const std::map<std::uint32_t, std::uint64_t>& cgroup_ids) {
    std::vector<Policy> next = policies_;
    for (Policy& policy : next) {
        const auto found = cgroup_ids.find(policy.id);
        if (found == cgroup_ids.end())
            continue;
        policy.scope.cgroup_id = found->second;
        for (Rule& rule : policy.rules)
            rule.compiled.cgroup_id = found->second;
    }
    if (auto status = check(next); !status)
        return status;
    policies_ = std::move(next);
    return Ok{};
}

bool PolicySet::anchors_requests() const {
    return std::any_of(policies_.begin(), policies_.end(), [](const Policy& policy) {
        return policy.attach.flags & LIBRA_F_ANCHOR_REQUESTS;
    });
}

libra_policy PolicySet::compile(const std::vector<std::uint32_t>& staged, Stage stage) const {
    libra_policy compiled{};
    for (const Policy& policy : policies_) {
        // An exception keeps nothing, and without a part of it what it exempts would fall to
        // the next policy that matches.
        const bool staged_now = policy.attach.mode != LIBRA_MODE_OFF && contains(staged, policy.id);
        const bool partly = policy.tripped || (stage != Stage::all && staged_now);
        const bool only_listeners = policy.tripped || stage == Stage::listeners;
        for (const Rule& rule : policy.rules) {
            libra_rule next = rule.compiled;
            if (partly)
                next.attach.flags &= ~LIBRA_F_ANCHOR_REQUESTS;
            if (partly && only_listeners)
                next.roles &= LIBRA_MATCH_PASSIVE;
            if (next.roles)
                compiled.rules[compiled.count++] = next;
        }
    }
    return compiled;
}

}  // namespace libra
