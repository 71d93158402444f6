// SPDX-License-Identifier: GPL-2.0-only
#include "policy_set.h"

#include <fmt/format.h>

#include <algorithm>
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

}  // namespace

std::optional<std::uint32_t> PolicySet::free_slot(const Policy& pending) const {
    std::bitset<LIBRA_MAX_RULES> used;
    for (const Policy& policy : policies_) {
        for (const Rule& rule : policy.rules)
            used.set(rule.compiled.slot);
    }
    for (const Rule& rule : pending.rules)
        used.set(rule.compiled.slot);
    for (std::uint32_t slot = 0; slot < LIBRA_MAX_RULES; ++slot) {
        if (!used.test(slot))
            return slot;
    }
    return std::nullopt;
}

Result<Policy> PolicySet::add(const AttachRequest& request, const Scope& scope) {
    Policy policy;
    policy.id = last_id_ + 1;
    policy.cgroup = request.cgroup;
    if (request.parser.empty() || request.parser.size() >= sizeof(policy.attach.parser))
        return Error(
            fmt::format("parser names have 1 to {} characters", sizeof(policy.attach.parser) - 1),
            EINVAL);
    std::memcpy(policy.attach.parser, request.parser.data(), request.parser.size());
    policy.attach.domain = request.domain;
    policy.attach.mode = request.mode;
    policy.attach.flags = (request.anchor_requests ? LIBRA_F_ANCHOR_REQUESTS : 0) |
                          (request.no_scrub ? LIBRA_F_NO_SCRUB : 0);
    policy.attach.policy = policy.id;

    const auto append = [&](const Endpoint& endpoint, std::uint32_t roles) -> Status {
        Rule rule = make_rule(endpoint, roles, scope, policy.attach);
        const auto slot = free_slot(policy);
        if (!slot)
            return Error(
                fmt::format("there is room for {} rules; detach a policy first", LIBRA_MAX_RULES),
                ENOSPC);
        rule.compiled.slot = *slot;
        policy.rules.push_back(rule);
        return Ok{};
    };
    const auto append_all = [&](const std::vector<std::string>& texts, Prefix prefix,
                                std::uint32_t role) -> Status {
        for (const std::string& text : texts) {
            const auto endpoint = parse_endpoint(text, prefix);
            if (!endpoint)
                return endpoint.error();
            if (auto status = append(*endpoint, role); !status)
                return status;
        }
        return Ok{};
    };

    if (auto status = append_all(request.listen, Prefix::refused, LIBRA_MATCH_PASSIVE); !status)
        return std::move(status).error().context("listener");
    if (auto status = append_all(request.upstream, Prefix::allowed, LIBRA_MATCH_ACTIVE); !status)
        return std::move(status).error().context("upstream");
    if (policy.rules.empty()) {
        // a cgroup alone stands for all its connections
        if (scope.cgroup_id == 0)
            return Error("nothing to attach: name a listener, an upstream or a cgroup", EINVAL);
        if (request.anchor_requests)
            return Error(
                "--anchor-requests with --cgroup needs --listen and --upstream: which "
                "connections that are there already lead to an upstream cannot be told",
                EINVAL);
        if (auto status = append(Endpoint{}, LIBRA_MATCH_PASSIVE | LIBRA_MATCH_ACTIVE); !status)
            return std::move(status).error();
    }

    policies_.push_back(policy);
    auto status = check_domains(policies_);
    if (status)
        status = check_upstreams(policies_);
    if (!status) {
        policies_.pop_back();
        return std::move(status).error();
    }
    last_id_ = policy.id;
    return policy;
}

Result<std::vector<std::uint32_t>> PolicySet::remove(std::optional<std::uint32_t> id) {
    std::vector<std::uint32_t> removed;
    std::vector<Policy> kept;
    for (const Policy& policy : policies_) {
        if (!id || policy.id == *id)
            removed.push_back(policy.id);
        else
            kept.push_back(policy);
    }
    if (id && removed.empty())
        return Error(fmt::format("there is no policy {}", *id), ENOENT);
    if (auto status = check_domains(kept); !status)
        return std::move(status).error().context(fmt::format("without policy {}", *id));
    policies_ = std::move(kept);
    return removed;
}

bool PolicySet::anchors_requests() const {
    return std::any_of(policies_.begin(), policies_.end(), [](const Policy& policy) {
        return policy.attach.flags & LIBRA_F_ANCHOR_REQUESTS;
    });
}

libra_policy PolicySet::compile(const std::vector<std::uint32_t>& staged, Stage stage) const {
    libra_policy compiled{};
    for (const Policy& policy : policies_) {
        const bool partly = stage != Stage::all &&
                            std::find(staged.begin(), staged.end(), policy.id) != staged.end();
        for (const Rule& rule : policy.rules) {
            libra_rule next = rule.compiled;
            if (partly)
                next.attach.flags &= ~LIBRA_F_ANCHOR_REQUESTS;
            if (partly && stage == Stage::listeners)
                next.roles &= LIBRA_MATCH_PASSIVE;
            if (next.roles)
                compiled.rules[compiled.count++] = next;
        }
    }
    return compiled;
}

}  // namespace libra
