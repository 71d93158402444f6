// SPDX-License-Identifier: GPL-2.0-only
#include "service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "kernel_stats.h"
#include "kernel_support.h"

namespace libra {
namespace {

std::string_view role_name(std::uint32_t roles) {
    if (roles == LIBRA_MATCH_PASSIVE)
        return "listen";
    return roles == LIBRA_MATCH_ACTIVE ? "upstream" : "any";
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
    if (auto status = backend_.install(next.compile()); !status)
        return std::move(status).error();
    set_ = std::move(next);

    for (const Rule& rule : policy->rules)
        spdlog::info("policy {}: {} {} parser {} domain {} mode {}{}", policy->id,
                     role_name(rule.compiled.roles), format_endpoint(rule.endpoint), request.parser,
                     request.domain, mode_name(request.mode),
                     policy->cgroup.empty() ? "" : " cgroup " + policy->cgroup);
    return Json{{"ok", true}, {"policy", policy->id}};
}

Result<Json> Service::detach(const DetachRequest& request) {
    PolicySet next = set_;
    const auto removed = next.remove(request.policy);
    if (!removed)
        return removed.error();
    if (auto status = backend_.install(next.compile()); !status)
        return std::move(status).error();
    set_ = std::move(next);
    if (!removed->empty())
        spdlog::info("detached policy {}", join_ids(*removed));
    return Json{{"ok", true}, {"detached", *removed}};
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
                          {"refused", counters->refused}};
            if (counters->refused)
                entry["last_error"] = std::generic_category().message(-counters->last_error);
            rules.push_back(std::move(entry));
        }
        Json entry = {{"id", policy.id},
                      {"parser", policy.attach.parser},
                      {"domain", policy.attach.domain},
                      {"mode", mode_name(policy.attach.mode)},
                      {"anchor_requests", (policy.attach.flags & LIBRA_F_ANCHOR_REQUESTS) != 0}};
        if (!policy.cgroup.empty())
            entry["cgroup"] = policy.cgroup;
        entry["rules"] = std::move(rules);
        policies.push_back(std::move(entry));
    }
    return Json{{"ok", true},          {"version", LIBRA_VERSION},
                {"pid", getpid()},     {"enabled", libra_enabled()},
                {"parsers", parsers_}, {"policies", std::move(policies)}};
}

Result<Json> Service::stats() {
    const auto stats = read_kernel_stats();
    if (!stats)
        return stats.error();
    Json values = Json::object();
    for (const auto& [name, value] : *stats)
        values[name] = value;
    return Json{{"ok", true}, {"stats", std::move(values)}};
}

}  // namespace libra
