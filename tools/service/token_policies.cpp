// SPDX-License-Identifier: GPL-2.0-only
#include "token_policies.h"

#include <fmt/format.h>

#include <map>

#include "listeners.h"

namespace libra::service {

std::vector<LeftOut> left_out_by_policies(const Host& host, const Json& status,
                                          const std::vector<pid_t>& pids) {
    std::map<std::uint32_t, std::vector<Endpoint>> named;
    for (const Json& policy : status.value("policies", Json::array())) {
        if (policy.value("mode", "") != "token")
            continue;
        for (const Json& rule : policy.value("rules", Json::array())) {
            const auto endpoint = parse_endpoint(rule.value("address", ""), Prefix::allowed);
            if (endpoint && rule.value("role", "") != "upstream")
                named[policy.value("domain", 0U)].push_back(*endpoint);
        }
    }
    std::vector<std::filesystem::path> processes;
    for (const pid_t pid : pids)
        processes.push_back(host.proc / fmt::format("{}", pid));
    std::vector<LeftOut> all;
    if (processes.empty())
        return all;
    const auto listeners = listeners_of(processes.front());
    for (const auto& [domain, endpoints] : named) {
        auto names = left_out_by(processes, listeners, endpoints, endpoints);
        if (!names.empty())
            all.push_back({domain, std::move(names)});
    }
    return all;
}

std::string words_for(const LeftOut& left_out) {
    return fmt::format(
        "it also listens at {}, which no token policy of domain {} names: while it "
        "has clients there, everything of that domain is copied (and with "
        "net.libra.strangers=0 they are sent tokens)",
        fmt::join(left_out.listeners, ", "), left_out.domain);
}

}  // namespace libra::service
