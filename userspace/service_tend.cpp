// SPDX-License-Identifier: GPL-2.0-only
// What librad looks after by itself, once a second.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "service.h"

namespace libra {

// A network namespace lives as long as somebody has its file open.
void Service::forget_netnses() {
    std::erase_if(netnses_, [this](const auto& known) {
        return std::none_of(
            set_.policies().begin(), set_.policies().end(),
            [&known](const Policy& policy) { return policy.scope.netns_cookie == known.first; });
    });
}

Status Service::adopt_here(std::uint64_t waiting) {
    if (auto status = backend_.adopt(LIBRA_MATCH_PASSIVE); !status)
        return status;
    if (set_.anchors_requests()) {
        if (auto status = backend_.adopt(LIBRA_MATCH_ACTIVE); !status)
            return status;
    }
    // Not more than there were before: another one may have failed meanwhile.
    if (auto status = backend_.attached_since(waiting); !status)
        return status;
    spdlog::warn("{} connections could not be attached; those that are left were adopted", waiting);
    return Ok{};
}

// Those that no policy names any more need no adopting.
Status Service::adopt_all() {
    return each_netns(set_, [this]() -> Status {
        const auto waiting = backend_.unattached();
        if (!waiting)
            return waiting.error();
        return *waiting == 0 ? Status(Ok{}) : adopt_here(*waiting);
    });
}

// Back to native copies: its clients' connections are attached, and nothing is kept.
Status Service::trip(const Policy& policy, const std::string& why) {
    PolicySet next = set_;
    if (auto status = next.set_tripped(policy.id, true); !status)
        return status;
    const std::string name = full_name(policy);
    const std::uint32_t id = policy.id;
    if (auto status = save(next); !status)
        spdlog::error("{}", status.error().message());
    if (auto status = wind_down(set_, {id}); !status)
        return status;
    set_ = std::move(next);
    spdlog::error(
        "BREAKER: policy {} is back to native copies: {}. It stays so until told "
        "otherwise: find out why (libractl explain, libractl doctor), then libractl resume {}",
        name, why, id);
    return Ok{};
}

// A service manager makes a service's cgroup at each start: another one under its old name.
Status Service::follow_cgroups() {
    std::map<std::uint32_t, std::uint64_t> moved;
    Ids ids;
    for (const Policy& policy : set_.policies()) {
        if (policy.request.cgroup.empty())
            continue;
        const auto found = settings_.cgroup_id(policy.request.cgroup);
        if (!found && found.error().code() != ENOENT)
            return Error(fmt::format("policy {}: {}", full_name(policy), found.error().message()));
        const std::uint64_t id = found ? *found : kNoCgroup;
        if (id == policy.scope.cgroup_id)
            continue;
        moved.emplace(policy.id, id);
        ids.push_back(policy.id);
    }
    if (ids.empty())
        return Ok{};
    PolicySet next = set_;
    if (auto status = next.set_cgroups(moved); !status)
        return status;
    if (auto status = change(std::move(next), ids, ids); !status)
        return status;
    for (const std::uint32_t id : ids) {
        const Policy& policy = *set_.find(id);
        if (policy.waits())
            spdlog::warn("policy {} waits: its cgroup {} is gone", full_name(policy),
                         policy.request.cgroup);
        else
            spdlog::info("policy {}: its cgroup {} is there, or another one now", full_name(policy),
                         policy.request.cgroup);
    }
    return Ok{};
}

void Service::watch_breakers() {
    const auto now = BreakerWatch::Clock::now();
    // A copy: tripping changes the set.
    const std::vector<Policy> policies = set_.policies();
    std::erase_if(watches_, [this](const auto& watch) { return !set_.find(watch.first); });
    for (const Policy& policy : policies) {
        if (policy.tripped || policy.attach.mode != LIBRA_MODE_TOKEN)
            continue;
        const auto total = backend_.fail_stops(policy.id);
        if (!total) {
            spdlog::warn("policy {}: {}", policy.id, total.error().message());
            continue;
        }
        const Breaker& limit = policy.request.breaker;
        if (!watches_[policy.id].trips(limit, *total, now))
            continue;
        const auto status =
            trip(policy, fmt::format("{} or more times within {} s, what the proxy sent was not "
                                     "what it had received (libractl checked)",
                                     limit.fail_stops, limit.seconds));
        if (!status)
            spdlog::error("policy {}: its breaker cannot trip: {}", policy.id,
                          status.error().message());
        else
            watches_.erase(policy.id);
    }
}

void Service::tend() noexcept {
    try {
        forget_netnses();
        const auto followed = follow_cgroups();
        std::string lost = followed ? "" : followed.error().message();
        if (!lost.empty() && lost != cgroup_complaint_)
            spdlog::error("a policy cannot follow its cgroup: {}", lost);
        cgroup_complaint_ = std::move(lost);
        const auto status = adopt_all();
        std::string complaint = status ? "" : status.error().message();
        if (!complaint.empty() && complaint != complaint_)
            spdlog::warn("nothing is anchored: {}", complaint);
        complaint_ = std::move(complaint);
        watch_breakers();
    } catch (const std::exception& error) {
        spdlog::error("connections could not be looked at: {}", error.what());
    }
}

}  // namespace libra
