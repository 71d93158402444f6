// SPDX-License-Identifier: GPL-2.0-only
#include "service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "kernel_stats.h"
#include "kernel_support.h"
#include "listeners.h"
#include "passing.h"

namespace libra {
namespace {

std::string_view role_name(std::uint32_t roles) {
    if (roles == LIBRA_MATCH_PASSIVE)
        return "listen";
    return roles == LIBRA_MATCH_ACTIVE ? "upstream" : "any";
}

// Who holds which domain down.
Result<Json> passing_domains() {
    const auto domains = read_passing();
    if (!domains)
        return domains.error();
    Json all = Json::array();
    for (const PassingDomain& domain : *domains) {
        Json oldest = Json::array();
        for (const PassingConnection& connection : domain.oldest)
            oldest.push_back({{"role", connection.role},
                              {"peer", connection.peer},
                              {"local", connection.local},
                              {"reason", connection.reason},
                              {"seconds", connection.seconds}});
        all.push_back(
            {{"domain", domain.domain == LIBRA_DOMAIN_NONE ? Json() : Json(domain.domain)},
             {"clients", domain.clients},
             {"upstreams", domain.upstreams},
             {"oldest", std::move(oldest)}});
    }
    return all;
}

std::string join_ids(const std::vector<std::uint32_t>& ids) {
    return fmt::format("{}", fmt::join(ids, ", "));
}

}  // namespace

std::string Service::handle(std::string_view line) noexcept {
    // The edge: the JSON library and the allocator may throw below.
    try {
        auto request = parse_request(line);
        if (!request)
            return error_line(request.error());
        auto answer = run(*request);
        if (!answer)
            return error_line(answer.error());
        return to_line(*answer);
    } catch (const std::exception& error) {
        spdlog::error("a request failed: {}", error.what());
        return "{\"ok\":false,\"error\":\"internal error, see librad's log\"}\n";
    }
}

Result<Json> Service::run(const Request& request) {
    if (const auto* request_attach = std::get_if<AttachRequest>(&request))
        return attach(*request_attach);
    if (const auto* request_detach = std::get_if<DetachRequest>(&request))
        return detach(*request_detach);
    if (std::holds_alternative<StatusRequest>(request))
        return status();
    return stats();
}

// From listeners to all. Connections that are older than the policy are not
// understood by a parser: while one of them lives, nothing is kept that could be
// sent on it. But the kernel has to know them for that.
Status Service::wind_up(const PolicySet& set, const Ids& ids) {
    if (auto status = backend_.adopt(LIBRA_MATCH_PASSIVE); !status)
        return status;
    if (set.anchors_requests()) {
        if (auto status = backend_.install(set.compile(ids, Stage::responses)); !status)
            return status;
        if (auto status = backend_.adopt(LIBRA_MATCH_ACTIVE); !status)
            return status;
    }
    return backend_.install(set.compile());
}

// From all to listeners, after which nothing is kept any more.
Status Service::wind_down(const PolicySet& set, const Ids& ids) {
    if (set.anchors_requests()) {
        if (auto status = backend_.install(set.compile(ids, Stage::responses)); !status)
            return status;
        if (auto status = stop(ids); !status)
            return status;
    }
    if (auto status = backend_.install(set.compile(ids, Stage::listeners)); !status)
        return status;
    return stop(ids);
}

// Those that no policy names any more need no adopting.
Status Service::adopt_all() {
    const auto waiting = backend_.unattached();
    if (!waiting)
        return waiting.error();
    if (*waiting == 0)
        return Ok{};
    if (auto status = backend_.adopt(LIBRA_MATCH_PASSIVE); !status)
        return status;
    if (set_.anchors_requests()) {
        if (auto status = backend_.adopt(LIBRA_MATCH_ACTIVE); !status)
            return status;
    }
    // Not more than there were before: another one may have failed meanwhile.
    if (auto status = backend_.attached_since(*waiting); !status)
        return status;
    spdlog::warn("{} connections could not be attached; those that are left were adopted",
                 *waiting);
    return Ok{};
}

void Service::tend() noexcept {
    try {
        const auto status = adopt_all();
        std::string complaint = status ? "" : status.error().message();
        if (!complaint.empty() && complaint != complaint_)
            spdlog::warn("nothing is anchored: {}", complaint);
        complaint_ = std::move(complaint);
    } catch (const std::exception& error) {
        spdlog::error("connections could not be looked at: {}", error.what());
    }
}

Status Service::stop(const Ids& ids) {
    for (const std::uint32_t id : ids) {
        if (auto status = backend_.stop(id); !status)
            return status;
    }
    return Ok{};
}

Result<Json> Service::attach(const AttachRequest& request) {
    if (std::find(parsers_.begin(), parsers_.end(), request.parser) == parsers_.end())
        return Error(fmt::format("unknown parser '{}'; loaded: {}", request.parser,
                                 fmt::join(parsers_, ", ")),
                     ENOENT);
    Scope scope{.netns_cookie = netns_cookie_, .cgroup_id = 0};
    if (!request.cgroup.empty()) {
        const auto id = cgroup_id(request.cgroup);
        if (!id)
            return id.error();
        scope.cgroup_id = *id;
    }

    PolicySet next = set_;
    const auto policy = next.add(request, scope);
    if (!policy)
        return policy.error();
    for (const Rule& rule : policy->rules) {
        if (auto status = backend_.clear_counters(rule.compiled.slot); !status)
            return std::move(status).error();
    }
    if (auto status = backend_.install(next.compile({policy->id}, Stage::listeners)); !status)
        return std::move(status).error();
    if (auto status = wind_up(next, {policy->id}); !status) {
        auto undone = wind_down(next, {policy->id});
        if (undone)
            undone = backend_.install(set_.compile());
        if (undone)
            return std::move(status).error();
        set_ = std::move(next);
        return Error(fmt::format("{}; policy {} is in force in part, detach it ({})",
                                 status.error().message(), policy->id, undone.error().message()),
                     status.error().code());
    }
    set_ = std::move(next);

    for (const Rule& rule : policy->rules)
        spdlog::info("policy {}: {} {} parser {} domain {} mode {}{}", policy->id,
                     role_name(rule.compiled.roles), format_endpoint(rule.endpoint), request.parser,
                     request.domain, mode_name(request.mode),
                     policy->cgroup.empty() ? "" : " cgroup " + policy->cgroup);
    Json answer = {{"ok", true}, {"policy", policy->id}};
    if (const auto names = listeners_left_out(*policy); !names.empty()) {
        spdlog::warn("policy {}: the same processes listen at {}, which domain {} does not name",
                     policy->id, fmt::join(names, ", "), request.domain);
        answer["left_out"] = names;
    }
    return answer;
}

// Where processes that this policy is about listen as well, and nothing is attached in
// its domain. Whoever connects there holds the domain down; with net.libra.strangers=0 he
// may be sent tokens.
std::vector<std::string> Service::listeners_left_out(const Policy& policy) const {
    std::vector<Endpoint> own;
    std::vector<Endpoint> named;
    if (policy.attach.mode != LIBRA_MODE_TOKEN)
        return {};
    for (const Policy& each : set_.policies()) {
        if (each.attach.domain != policy.attach.domain || each.attach.mode != LIBRA_MODE_TOKEN)
            continue;
        for (const Rule& rule : each.rules) {
            if (!(rule.compiled.roles & LIBRA_MATCH_PASSIVE))
                continue;
            named.push_back(rule.endpoint);
            if (each.id == policy.id)
                own.push_back(rule.endpoint);
        }
    }
    return left_out("/proc", own, named);
}

Result<Json> Service::detach(const DetachRequest& request) {
    PolicySet next = set_;
    const auto removed = next.remove(request.policy);
    if (!removed)
        return removed.error();
    if (auto status = remove(next, *removed); !status)
        return std::move(status).error();
    return Json{{"ok", true}, {"detached", *removed}};
}

Status Service::remove(const PolicySet& rest, const Ids& ids) {
    auto status = wind_down(set_, ids);
    if (status)
        status = backend_.install(rest.compile());
    if (!status) {
        auto restored = backend_.install(set_.compile(ids, Stage::listeners));
        if (restored)
            restored = wind_up(set_, ids);
        if (restored)
            return status;
        return Error(
            fmt::format("{}; policy {} is in force in part, detach it again ({})",
                        status.error().message(), join_ids(ids), restored.error().message()),
            status.error().code());
    }
    set_ = rest;
    if (!ids.empty())
        spdlog::info("detached policy {}", join_ids(ids));
    return Ok{};
}

Status Service::shutdown() {
    PolicySet rest = set_;
    const auto removed = rest.remove(std::nullopt);
    if (!removed)
        return removed.error();
    return remove(rest, *removed);
}

Result<Json> Service::status() {
    Json policies = Json::array();
    for (const Policy& policy : set_.policies()) {
        Json rules = Json::array();
        for (const Rule& rule : policy.rules) {
            const auto counters = backend_.counters(rule.compiled.slot);
            if (!counters)
                return counters.error();
            Json entry = {{"role", role_name(rule.compiled.roles)},
                          {"address", format_endpoint(rule.endpoint)},
                          {"matched", counters->matched},
                          {"attached", counters->attached},
                          {"adopted", counters->adopted},
                          {"refused", counters->refused}};
            if (counters->refused)
                entry["last_error"] = std::generic_category().message(-counters->last_error);
            rules.push_back(std::move(entry));
        }
        Json entry = {{"id", policy.id},
                      {"parser", policy.attach.parser},
                      {"domain", policy.attach.domain},
                      {"mode", mode_name(policy.attach.mode)},
                      {"anchor_requests", (policy.attach.flags & LIBRA_F_ANCHOR_REQUESTS) != 0},
                      {"no_scrub", (policy.attach.flags & LIBRA_F_NO_SCRUB) != 0}};
        if (!policy.cgroup.empty())
            entry["cgroup"] = policy.cgroup;
        entry["rules"] = std::move(rules);
        policies.push_back(std::move(entry));
    }
    auto passing = passing_domains();
    if (!passing)
        return passing.error();
    const auto unattached = backend_.unattached();
    if (!unattached)
        return unattached.error();
    return Json{{"ok", true},
                {"version", LIBRA_VERSION},
                {"pid", getpid()},
                {"enabled", libra_enabled()},
                {"unattached", *unattached},
                {"parsers", parsers_},
                {"policies", std::move(policies)},
                {"passing", std::move(*passing)}};
}

Result<Json> Service::stats() {
    const auto stats = read_kernel_stats();
    if (!stats)
        return stats.error();
    return stats_answer(*stats);
}

}  // namespace libra
