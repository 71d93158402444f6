// SPDX-License-Identifier: GPL-2.0-only
#include "service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>
#include <system_error>

#include "kernel_stats.h"
#include "kernel_support.h"
#include "listeners.h"
#include "notify.h"
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
                              {"said", connection.said},
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

void log_policy(const Policy& policy) {
    for (const Rule& rule : policy.rules)
        spdlog::info("policy {}: {} {} parser {} domain {} mode {}{}", full_name(policy),
                     role_name(rule.compiled.roles), format_endpoint(rule.endpoint),
                     policy.request.parser, policy.attach.domain, mode_name(policy.attach.mode),
                     policy.request.cgroup.empty() ? "" : " cgroup " + policy.request.cgroup);
    if (policy.waits())
        spdlog::warn("policy {} waits: there is no cgroup {}", full_name(policy),
                     policy.request.cgroup);
}

// librad would open any file, and say whether there is one of this name.
bool names_a_netns(const Request& request) {
    const auto* apply = std::get_if<ApplyRequest>(&request);
    return apply && std::any_of(apply->policies.begin(), apply->policies.end(),
                                [](const AttachRequest& policy) { return !policy.netns.empty(); });
}

}  // namespace

std::string Service::handle(std::string_view line, bool trusted) noexcept {
    // The edge: the JSON library and the allocator may throw below.
    try {
        auto request = parse_request(line);
        if (!request)
            return error_line(request.error());
        if (!trusted && !only_reads(*request))
            return error_line(Error("only root may change what is attached", EPERM));
        if (!trusted && names_a_netns(*request))
            return error_line(
                Error("only root may have a network namespace's file looked for", EPERM));
        auto answer = run(*request);
        forget_netnses();
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
    if (const auto* request_apply = std::get_if<ApplyRequest>(&request))
        return apply(request_apply->policies, request_apply->dry);
    if (const auto* request_resume = std::get_if<ResumeRequest>(&request))
        return take_up(*request_resume);
    if (std::holds_alternative<ReloadRequest>(request))
        return reload();
    if (std::holds_alternative<StatusRequest>(request))
        return status();
    if (std::holds_alternative<ParserListRequest>(request))
        return list_parsers();
    if (const auto* load = std::get_if<ParserLoadRequest>(&request))
        return load_parser(*load);
    if (const auto* replace = std::get_if<ParserReplaceRequest>(&request))
        return replace_parser(*replace);
    if (const auto* unload = std::get_if<ParserUnloadRequest>(&request))
        return unload_parser(*unload);
    return stats();
}

Result<Netns> Service::netns_of(const std::string& path) const {
    return path.empty() ? settings_.netns : Netns::open(path);
}

Result<NewPolicy> Service::resolve(const AttachRequest& request, Origin origin) {
    if (auto status = check_parser(request.parser); !status)
        return std::move(status).error();
    const auto netns = netns_of(request.netns);
    if (!netns)
        return netns.error();
    Scope scope{.netns_cookie = netns->cookie(), .cgroup_id = 0};
    if (!request.cgroup.empty()) {
        const auto id = settings_.cgroup_id(request.cgroup);
        // A service is started when it is; who types a name has mistyped it.
        const bool waits = !id && id.error().code() == ENOENT && origin == Origin::config;
        if (!id && !waits)
            return id.error();
        scope.cgroup_id = waits ? kNoCgroup : *id;
    }
    if (scope.netns_cookie != settings_.netns.cookie())
        netnses_.insert_or_assign(scope.netns_cookie, *netns);
    return NewPolicy{request, scope, origin};
}

// It may have many connections to look at, and there may be many such steps.
Status Service::in_netns(std::uint64_t cookie, const std::function<Status()>& what) const {
    notify_alive();
    if (cookie == settings_.netns.cookie())
        return settings_.netns.run(what);
    // Without its file nobody has a way into it, and perhaps it is no more.
    const auto netns = netnses_.find(cookie);
    return netns == netnses_.end() ? Status(Ok{}) : netns->second.run(what);
}

// What fails in one is done in the others, and told.
Status Service::each_netns(const PolicySet& set, const std::function<Status()>& what) const {
    Status first = in_netns(settings_.netns.cookie(), what);
    std::set<std::uint64_t> others;
    for (const Policy& policy : set.policies())
        others.insert(policy.scope.netns_cookie);
    others.erase(settings_.netns.cookie());
    for (const std::uint64_t cookie : others) {
        if (auto status = in_netns(cookie, what); !status && first)
            first = std::move(status);
    }
    return first;
}

Status Service::adopt(const PolicySet& set, std::uint32_t role) const {
    return each_netns(set, [&] { return backend_.adopt(role); });
}

Status Service::stop(const PolicySet& set, const Ids& ids) {
    for (const std::uint32_t id : ids) {
        // Its connections are where it is; of a stranger nobody knows where that was.
        const Policy* const policy = set.find(id);
        const auto stop_here = [&] { return backend_.stop(id); };
        if (auto status = policy ? in_netns(policy->scope.netns_cookie, stop_here)
                                 : each_netns(set, stop_here);
            !status)
            return status;
    }
    return Ok{};
}

// From listeners to all. Connections that are older than the policy are not
// understood by a parser: while one of them lives, nothing is kept that could be
// sent on it. But the kernel has to know them for that.
Status Service::wind_up(const PolicySet& set, const Ids& ids) {
    if (auto status = adopt(set, LIBRA_MATCH_PASSIVE); !status)
        return status;
    if (set.anchors_requests()) {
        if (auto status = backend_.install(set.compile(ids, Stage::responses)); !status)
            return status;
        if (auto status = adopt(set, LIBRA_MATCH_ACTIVE); !status)
            return status;
    }
    return backend_.install(set.compile());
}

// From all to listeners, after which nothing is kept any more.
Status Service::wind_down(const PolicySet& set, const Ids& ids) {
    if (set.anchors_requests()) {
        if (auto status = backend_.install(set.compile(ids, Stage::responses)); !status)
            return status;
        if (auto status = stop(set, ids); !status)
            return status;
    }
    if (auto status = backend_.install(set.compile(ids, Stage::listeners)); !status)
        return status;
    return stop(set, ids);
}

Status Service::save(const PolicySet& set) const {
    return settings_.state ? settings_.state->save(set) : Ok{};
}

// What goes keeps nothing more before what comes keeps anything. The next librad goes on
// from what is saved, whatever this one came to (see resume()), so that is first.
Status Service::change(PolicySet next, const Ids& added, const Ids& removed) {
    if (auto status = save(next); !status)
        return status;

    Status status = Ok{};
    if (!removed.empty())
        status = wind_down(set_, removed);
    if (status)
        status = backend_.install(next.compile(added, Stage::listeners));
    const bool begun = static_cast<bool>(status);
    if (status && !added.empty())
        status = wind_up(next, added);
    if (status) {
        set_ = std::move(next);
        return status;
    }

    Status undone = begun ? wind_down(next, added) : Ok{};
    if (undone && (begun || !removed.empty()))
        undone = backend_.install(set_.compile(removed, Stage::listeners));
    if (undone && !removed.empty())
        undone = wind_up(set_, removed);
    if (undone) {
        if (auto saved = save(set_); !saved)
            spdlog::error("{}", saved.error().message());
        return status;
    }
    const Ids& ids = added.empty() ? removed : added;
    const std::string left = fmt::format(
        "{}; policy {} is in force in part, {} ({})", status.error().message(), join_ids(ids),
        added.empty() ? "detach it again" : "detach it", undone.error().message());
    const int code = status.error().code();
    if (!added.empty())
        set_ = std::move(next);
    return Error(left, code);
}

// A librad that was killed may have come to any point of a change. What is in the kernel and
// not in the state file ends; what is in both and alike goes on untouched.
Status Service::resume() {
    if (!settings_.state)
        return Ok{};
    auto kept = settings_.state->load();
    if (!kept) {
        spdlog::error("{}; the policies of the last librad end", kept.error().message());
        kept = PolicySet();
    }
    for (const Policy& policy : kept->policies()) {
        if (policy.request.netns.empty())
            continue;
        const auto netns = Netns::open(policy.request.netns);
        if (netns && netns->cookie() == policy.scope.netns_cookie)
            netnses_.insert_or_assign(netns->cookie(), *netns);
        else
            spdlog::warn("policy {}: its network namespace {} is another one now, or gone",
                         policy.id, policy.request.netns);
    }
    say_what_has_no_parser(*kept);
    const auto there = backend_.installed();
    if (!there)
        return there.error();
    const libra_policy wanted = kept->compile();
    set_ = std::move(kept).value();
    if (there->count == wanted.count &&
        !std::memcmp(there->rules, wanted.rules, wanted.count * sizeof(wanted.rules[0]))) {
        if (wanted.count)
            spdlog::info("{} policies of the last librad go on", set_.policies().size());
        return Ok{};
    }
    std::set<std::uint32_t> strange;
    Ids ids;
    for (const libra_rule& rule : std::span(there->rules, there->count))
        strange.insert(rule.attach.policy);
    for (const Policy& policy : set_.policies()) {
        strange.erase(policy.id);
        ids.push_back(policy.id);
    }
    spdlog::warn("the last librad was interrupted in the middle of a change");
    if (auto status = backend_.install(set_.compile(ids, Stage::listeners)); !status)
        return status;
    if (auto status = stop(set_, Ids(strange.begin(), strange.end())); !status)
        return status;
    return wind_up(set_, ids);
}

Result<Json> Service::attach(const AttachRequest& request) {
    const auto wanted = resolve(request, Origin::client);
    if (!wanted)
        return wanted.error();
    PolicySet next = set_;
    const auto added = next.change({}, {*wanted});
    if (!added)
        return added.error();
    const std::uint32_t id = added->front();
    if (auto status = clear_counters(next, *added); !status)
        return std::move(status).error();
    if (auto status = change(std::move(next), *added, {}); !status)
        return std::move(status).error();

    const Policy& policy = *set_.find(id);
    log_policy(policy);
    Json answer = {{"ok", true}, {"policy", policy.id}};
    if (const auto names = listeners_left_out(policy); !names.empty()) {
        spdlog::warn("policy {}: the same processes listen at {}, which domain {} does not name",
                     policy.id, fmt::join(names, ", "), request.domain);
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
    if (auto status = change(std::move(next), {}, *removed); !status)
        return std::move(status).error();
    if (!removed->empty())
        spdlog::info("detached policy {}", join_ids(*removed));
    return Json{{"ok", true}, {"detached", *removed}};
}

// Those that are as they were stay. A policy is the same if it is asked for in the same words
// and still means the same: a cgroup may have been made anew under its old name.
Result<Json> Service::apply(const std::vector<AttachRequest>& policies, bool dry) {
    std::vector<NewPolicy> add;
    std::vector<std::string> same, changed, gone, reordered;
    std::set<std::string> tripped;
    Ids removed;
    for (const AttachRequest& request : policies) {
        if (request.name.empty())
            return Error("a policy of a configuration needs a name", EINVAL);
        auto wanted = resolve(request, Origin::config);
        if (!wanted)
            return std::move(wanted).error().context(fmt::format("policy '{}'", request.name));
        add.push_back(std::move(wanted).value());
    }
    for (const Policy& policy : set_.policies()) {
        if (policy.origin != Origin::config)
            continue;
        const auto again = std::find_if(add.begin(), add.end(), [&policy](const NewPolicy& wanted) {
            return wanted.request.name == policy.request.name;
        });
        const std::string& name = policy.request.name;
        if (again != add.end() && again->request == policy.request &&
            again->scope == policy.scope) {
            same.push_back(name);
            add.erase(again);
            continue;
        }
        // Nobody asked for another one: its cgroup was made anew, and its breaker stays tripped.
        if (policy.tripped && again != add.end() && again->request == policy.request)
            tripped.insert(name);
        (again == add.end() ? gone : changed).push_back(name);
        removed.push_back(policy.id);
    }
    std::vector<std::string> fresh;
    for (const NewPolicy& wanted : add) {
        if (std::find(changed.begin(), changed.end(), wanted.request.name) == changed.end())
            fresh.push_back(wanted.request.name);
    }

    PolicySet next = set_;
    const auto added = next.change(removed, add);
    if (!added)
        return added.error();
    for (const std::uint32_t id : *added) {
        if (!tripped.contains(next.find(id)->request.name))
            continue;
        if (auto status = next.set_tripped(id, true); !status)
            return std::move(status).error();
    }
    // What has another one ahead of it gets other connections: it ends and begins, under its id.
    Ids begin = *added;
    for (const std::uint32_t id : next.arrange(policies, set_)) {
        const std::string& name = next.find(id)->request.name;
        std::erase(same, name);
        changed.push_back(name);
        reordered.push_back(name);
        removed.push_back(id);
        begin.push_back(id);
    }
    Json answer = {{"ok", true},         {"dry", dry},      {"added", fresh},
                   {"changed", changed}, {"removed", gone}, {"unchanged", same}};
    if (!reordered.empty())
        answer["reordered"] = reordered;
    if (dry || (begin.empty() && removed.empty()))
        return answer;
    if (auto status = clear_counters(next, *added); !status)
        return std::move(status).error();
    if (auto status = change(std::move(next), begin, removed); !status)
        return std::move(status).error();
    spdlog::info(
        "configuration: added [{}], changed [{}], removed [{}], unchanged [{}]{}",
        fmt::join(fresh, ", "), fmt::join(changed, ", "), fmt::join(gone, ", "),
        fmt::join(same, ", "),
        reordered.empty() ? "" : fmt::format(", reordered [{}]", fmt::join(reordered, ", ")));
    for (const std::uint32_t id : *added)
        log_policy(*set_.find(id));
    return answer;
}

Result<Json> Service::reload() {
    if (!settings_.configuration)
        return Error("librad was started without a configuration file (--config)", ENOENT);
    const auto config = settings_.configuration();
    if (!config)
        return config.error();
    std::function<void()> serve_metrics = [] {};
    if (settings_.metrics) {
        auto move = settings_.metrics(config->metrics);
        if (!move)
            return std::move(move).error();
        serve_metrics = std::move(move).value();
    }
    auto answer = apply(config->policies, false);
    if (answer) {
        serve_metrics();
        notify_status("");
    }
    return answer;
}

Result<Json> Service::take_up(const ResumeRequest& request) {
    const Policy* policy = set_.find(request.policy);
    if (!policy)
        return Error(fmt::format("there is no policy {}", request.policy), ENOENT);
    if (!policy->tripped)
        return Error(fmt::format("policy {} is in force, its breaker has not tripped", policy->id),
                     EALREADY);
    PolicySet next = set_;
    if (auto status = next.set_tripped(request.policy, false); !status)
        return std::move(status).error();
    if (auto status = save(next); !status)
        return std::move(status).error();
    if (auto status = wind_up(next, {request.policy}); !status) {
        // Also in the kernel, which may have taken some of it.
        if (auto undone = wind_down(next, {request.policy}); !undone) {
            set_ = std::move(next);
            return Error(
                fmt::format("{}; policy {} is in force in part, detach it ({})",
                            status.error().message(), request.policy, undone.error().message()),
                status.error().code());
        }
        if (auto saved = save(set_); !saved)
            spdlog::error("{}", saved.error().message());
        return std::move(status).error();
    }
    set_ = std::move(next);
    spdlog::warn("policy {} is in force again", request.policy);
    return Json{{"ok", true}, {"resumed", request.policy}};
}

Status Service::shutdown() {
    PolicySet rest = set_;
    const auto removed = rest.remove(std::nullopt);
    if (!removed)
        return removed.error();
    return change(std::move(rest), {}, *removed);
}

Status Service::clear_counters(const PolicySet& set, const Ids& ids) {
    for (const std::uint32_t id : ids) {
        for (const Rule& rule : set.find(id)->rules) {
            if (auto status = backend_.clear_counters(rule.compiled.slot); !status)
                return status;
        }
        if (auto status = backend_.clear_fail_stops(id); !status)
            return status;
    }
    return Ok{};
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
                      {"name", policy.request.name},
                      {"from", policy.origin == Origin::config ? "configuration" : "client"},
                      {"parser", policy.request.parser},
                      {"domain", policy.attach.domain},
                      {"mode", mode_name(policy.attach.mode)},
                      {"anchor_requests", (policy.attach.flags & LIBRA_F_ANCHOR_REQUESTS) != 0},
                      {"no_scrub", (policy.attach.flags & LIBRA_F_NO_SCRUB) != 0}};
        if (!policy.request.cgroup.empty())
            entry["cgroup"] = policy.request.cgroup;
        if (!policy.request.netns.empty())
            entry["netns"] = policy.request.netns;
        entry["breaker"] = format_breaker(policy.request.breaker);
        entry["check"] = format_check_rate(policy.request.check);
        entry["tripped"] = policy.tripped;
        entry["waiting"] = policy.waits();
        const auto fail_stops = backend_.fail_stops(policy.id);
        if (!fail_stops)
            return fail_stops.error();
        entry["fail_stops"] = *fail_stops;
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
                {"protocol", kProtocol},
                {"pid", getpid()},
                {"enabled", libra_enabled()},
                {"unattached", *unattached},
                {"parsers", parsers_.names()},
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
