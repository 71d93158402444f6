// SPDX-License-Identifier: GPL-2.0-only
#include "state_file.h"

#include <fmt/format.h>

#include <limits>

#include "kept_file.h"
#include "protocol.h"

namespace libra {
namespace {

constexpr std::uint32_t kFormat = 1;

Json policy_state(const Policy& policy) {
    Json slots = Json::array();
    for (const Rule& rule : policy.rules)
        slots.push_back(rule.compiled.slot);
    return {{"id", policy.id},
            {"config", policy.origin == Origin::config},
            {"tripped", policy.tripped},
            {"netns_cookie", policy.scope.netns_cookie},
            {"cgroup_id", policy.scope.cgroup_id},
            {"slots", std::move(slots)},
            {"policy", policy_json(policy.request)}};
}

template <typename T>
bool read(const Json& json, const char* name, T& out) {
    const auto it = json.find(name);
    if (it == json.end())
        return false;
    if constexpr (std::is_same_v<T, bool>) {
        if (!it->is_boolean())
            return false;
    } else {
        if (!it->is_number_unsigned() ||
            it->template get<std::uint64_t>() > std::numeric_limits<T>::max())
            return false;
    }
    out = it->template get<T>();
    return true;
}

Result<Policy> read_policy(const Json& json) {
    const Error malformed("a policy is not as librad wrote it", EINVAL);
    Policy policy;
    bool config = false;
    if (!json.is_object() || !read(json, "id", policy.id) || !read(json, "config", config) ||
        !read(json, "tripped", policy.tripped) ||
        !read(json, "netns_cookie", policy.scope.netns_cookie) ||
        !read(json, "cgroup_id", policy.scope.cgroup_id) || !json.contains("slots") ||
        !json["slots"].is_array() || !json.contains("policy"))
        return malformed;
    policy.origin = config ? Origin::config : Origin::client;
    for (const Json& item : json["slots"]) {
        Rule rule;
        if (!item.is_number_unsigned() || item.get<std::uint64_t>() >= LIBRA_MAX_RULES)
            return malformed;
        rule.compiled.slot = item.get<std::uint32_t>();
        policy.rules.push_back(rule);
    }
    const auto request = parse_policy(json["policy"]);
    if (!request)
        return request.error();
    policy.request = *request;
    return policy;
}

}  // namespace

std::string format_state(const PolicySet& set) {
    Json policies = Json::array();
    for (const Policy& policy : set.policies())
        policies.push_back(policy_state(policy));
    return to_line(
        {{"format", kFormat}, {"last_id", set.last_id()}, {"policies", std::move(policies)}});
}

Result<PolicySet> parse_state(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    std::uint32_t format = 0;
    std::uint32_t last_id = 0;
    if (json.is_discarded() || !json.is_object() || !read(json, "format", format))
        return Error("it is not as librad wrote it", EINVAL);
    if (format != kFormat)
        return Error(fmt::format("it is of format {}, this librad knows {}", format, kFormat),
                     EINVAL);
    if (!read(json, "last_id", last_id) || !json.contains("policies") ||
        !json["policies"].is_array())
        return Error("it is not as librad wrote it", EINVAL);
    std::vector<Policy> policies;
    for (const Json& item : json["policies"]) {
        auto policy = read_policy(item);
        if (!policy)
            return std::move(policy).error();
        policies.push_back(std::move(policy).value());
    }
    return PolicySet::restore(std::move(policies), last_id);
}

Status StateFile::save(const PolicySet& set) const {
    const auto status = write_kept(path_, format_state(set));
    if (!status)
        return Error(
            fmt::format("cannot keep the policies in {}: {}", path_, status.error().message()),
            status.error().code());
    return Ok{};
}

Result<PolicySet> StateFile::load() const {
    auto text = read_kept(path_);
    if (!text && text.error().code() == ENOENT)
        return PolicySet();
    if (!text)
        return std::move(text).error();
    auto set = parse_state(*text);
    if (!set)
        return std::move(set).error().context(path_);
    return set;
}

}  // namespace libra
