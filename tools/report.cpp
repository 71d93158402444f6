// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "kernel_stats.h"

namespace libra {
namespace {

std::string text(const Json& json, const char* key) {
    const auto it = json.find(key);
    if (it == json.end())
        return "";
    return it->is_string() ? it->get<std::string>() : it->dump();
}

const Json& list(const Json& json, const char* key) {
    static const Json kEmpty = Json::array();
    const auto it = json.find(key);
    return it != json.end() && it->is_array() ? *it : kEmpty;
}

std::string why_passing(const Json& connection) {
    const std::string said = describe_reason(text(connection, "said"));
    return describe_stat(text(connection, "reason")) + (said.empty() ? "" : ": " + said);
}

// For whose sake nothing is kept in the kernel.
std::string report_passing(const Json& answer) {
    std::string out;
    std::vector<Row> rows = {{"DOMAIN", "ROLE", "PEER", "LOCAL", "SECONDS", "WHY"}};
    for (const Json& domain : list(answer, "passing")) {
        const bool named = !domain.value("domain", Json()).is_null();
        const std::string id = named ? text(domain, "domain") : "-";
        for (const auto& [key, what] :
             {std::pair{"clients", "responses"}, std::pair{"upstreams", "requests"}}) {
            const std::string count = text(domain, key);
            if (count == "0")
                continue;
            out += named ? fmt::format(
                               "domain {}: no {} are kept in the kernel for the sake of {} "
                               "of its {}, or of who uses them\n",
                               id, what, count, key)
                         : fmt::format(
                               "no policy: no {} are kept in the kernel for those proxies "
                               "that use {} {} which no policy names\n",
                               what, count, key);
        }
        for (const Json& connection : list(domain, "oldest"))
            rows.push_back({id, text(connection, "role"), text(connection, "peer"),
                            text(connection, "local"), text(connection, "seconds"),
                            why_passing(connection)});
    }
    return rows.size() == 1 ? out : out + table(rows);
}

std::string count_of(const Json& rule, const char* key) {
    const std::string value = text(rule, key);
    return value.empty() ? "0" : value;
}

}  // namespace

std::string table(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const Row& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += fmt::format("{:<{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

std::string report_status(const Json& answer) {
    std::vector<std::string> parsers;
    for (const Json& parser : list(answer, "parsers"))
        parsers.push_back(parser.is_string() ? parser.get<std::string>() : parser.dump());
    std::string out = fmt::format("librad {} pid {}  parsers: {}\n", text(answer, "version"),
                                  text(answer, "pid"), fmt::join(parsers, ", "));
    if (text(answer, "enabled") == "false")
        out += "net.libra.enabled is 0: nothing is anchored until it is 1\n";
    if (count_of(answer, "unattached") != "0")
        out += fmt::format(
            "{} connections could not be attached: nothing is anchored until librad "
            "has adopted them\n",
            count_of(answer, "unattached"));

    std::vector<Row> rows = {{"ID", "NAME", "ROLE", "ADDRESS", "CGROUP", "PARSER", "DOMAIN", "MODE",
                              "MATCHED", "ATTACHED", "ADOPTED", "REFUSED", ""}};
    for (const Json& policy : list(answer, "policies")) {
        std::string mode = text(policy, "mode");
        if (text(policy, "anchor_requests") == "true")
            mode += "+requests";
        if (text(policy, "no_scrub") == "true")
            mode += "-scrub";
        std::string cgroup = text(policy, "cgroup");
        if (cgroup.empty())
            cgroup = "*";
        std::string name = text(policy, "name");
        if (name.empty())
            name = "-";
        for (const Json& rule : list(policy, "rules"))
            rows.push_back({text(policy, "id"), name, text(rule, "role"), text(rule, "address"),
                            cgroup, text(policy, "parser"), text(policy, "domain"), mode,
                            count_of(rule, "matched"), count_of(rule, "attached"),
                            count_of(rule, "adopted"), count_of(rule, "refused"),
                            text(rule, "last_error")});
    }
    out += rows.size() == 1 ? "no policies: nothing is attached\n" : table(rows);
    for (const Json& policy : list(answer, "policies")) {
        if (text(policy, "waiting") == "true")
            out += fmt::format("policy {} waits: there is no cgroup {}\n", text(policy, "id"),
                               text(policy, "cgroup"));
        if (text(policy, "tripped") == "true")
            out += fmt::format(
                "policy {} is back to native copies, by its breaker: libractl resume {}\n",
                text(policy, "id"), text(policy, "id"));
    }
    return out + report_passing(answer);
}

std::string report_changes(const Json& answer) {
    std::string out;
    for (const auto& [key, mark] :
         {std::pair{"added", '+'}, {"changed", '~'}, {"removed", '-'}, {"unchanged", ' '}}) {
        for (const Json& name : list(answer, key))
            out += fmt::format("{} {}\n", mark, name.is_string() ? name.get<std::string>() : "?");
    }
    return out.empty() ? "no policies\n" : out;
}

std::string report_parsers(const Json& answer) {
    std::vector<Row> rows = {{"NAME", "VERSION", "ABI", "KEEPS", "POLICIES", "FROM"}};
    for (const Json& parser : list(answer, "parsers")) {
        std::string policies;
        for (const Json& id : list(parser, "policies"))
            policies += (policies.empty() ? "" : ",") + id.dump();
        rows.push_back({text(parser, "name"), text(parser, "version"), text(parser, "abi"),
                        text(parser, "keeps"), policies.empty() ? "-" : policies,
                        text(parser, "origin")});
    }
    return rows.size() == 1 ? "no parsers\n" : table(rows);
}

std::string report_stats(const Json& answer, bool all) {
    std::vector<Row> rows;
    const auto stats = answer.find("stats");
    if (stats != answer.end() && stats->is_object()) {
        for (const auto& [name, value] : stats->items()) {
            if (all || value != 0)
                rows.push_back({name, value.dump(), describe_stat(name)});
        }
    }
    return rows.empty() ? "all counters are 0\n" : table(rows);
}

}  // namespace libra
