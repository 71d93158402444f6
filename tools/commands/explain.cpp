// SPDX-License-Identifier: GPL-2.0-only
#include "explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "commands.h"

namespace libra {
namespace {

struct Options {
    std::string target;
    std::size_t most = 20;
};

// What is said of what was asked for.
struct Report {
    std::vector<Explanation> connections;
    std::vector<std::pair<Process, std::vector<Finding>>> processes;  // of a service
};

Json json_of(const std::vector<Finding>& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings) {
        Json one = {{"code", finding.code}, {"text", finding.text}};
        if (!finding.mend.empty())
            one["mend"] = finding.mend;
        list.push_back(std::move(one));
    }
    return list;
}

Json json_of(const Explanation& explanation) {
    return {{"local", format_endpoint(explanation.connection.local)},
            {"peer", format_endpoint(explanation.connection.peer)},
            {"service", explanation.service},
            {"pids", explanation.pids},
            {"verdict", verdict_name(explanation.verdict)},
            {"findings", json_of(explanation.findings)}};
}

Json json_of(const Report& report, const Facts& facts) {
    Json answer = {{"ok", true}, {"processes", Json::array()}, {"connections", Json::array()}};
    for (const auto& [process, findings] : report.processes)
        answer["processes"].push_back({{"pid", process.pid},
                                       {"name", process.name},
                                       {"service", process.service()},
                                       {"findings", json_of(findings)}});
    for (const Explanation& explanation : report.connections)
        answer["connections"].push_back(json_of(explanation));
    answer["unknown"] = facts.unknown;
    return answer;
}

void print_findings(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        fmt::print("  {}\n", finding.text);
        if (!finding.mend.empty())
            fmt::print("    mend: {}\n", finding.mend);
    }
}

std::string text_of(const std::vector<Finding>& findings) {
    std::string text;
    for (const Finding& finding : findings)
        text += finding.text + "\n";
    return text;
}

// What is said of several is said once, below all their names.
class Alike {
  public:
    void add(const std::string& name, std::string_view verdict,
             const std::vector<Finding>& findings) {
        Group& group = groups_[fmt::format("{}\n{}", verdict, text_of(findings))];
        group.names.push_back(name);
        group.verdict = verdict;
        group.findings = &findings;
    }

    void print(std::size_t most) const {
        for (const auto& [text, group] : groups_) {
            for (std::size_t i = 0; i < std::min(group.names.size(), most); ++i)
                fmt::print("{}\n", group.names[i]);
            if (group.names.size() > most)
                fmt::print("... and {} more\n", group.names.size() - most);
            if (!group.verdict.empty())
                fmt::print("  {}\n", group.verdict);
            print_findings(*group.findings);
        }
    }

  private:
    struct Group {
        std::vector<std::string> names;
        std::string_view verdict;
        const std::vector<Finding>* findings = nullptr;
    };

    std::map<std::string, Group> groups_;
};

void print(const Report& report, const Facts& facts, std::size_t most) {
    Alike processes;
    for (const auto& [process, findings] : report.processes)
        processes.add(fmt::format("{} {}", process.service(), process.pid), "", findings);
    processes.print(most);
    Alike connections;
    for (const Explanation& one : report.connections)
        connections.add(fmt::format("{} - {}  {} {}", format_endpoint(one.connection.local),
                                    format_endpoint(one.connection.peer), one.service,
                                    fmt::join(one.pids, ",")),
                        verdict_name(one.verdict), one.findings);
    connections.print(most);
    if (report.connections.empty())
        fmt::print(
            "no connection is open: what becomes of payload is told of connections, so ask again "
            "while there are requests\n");
    for (const std::string& unknown : facts.unknown)
        fmt::print("not known: {}\n", unknown);
}

Result<Report> report_connection(const Facts& facts, const std::string& target) {
    const auto name = ConnectionName::parse(target);
    if (!name)
        return name.error();
    Report report;
    for (const TcpSocket& connection : facts.connections) {
        if (name->names(connection))
            report.connections.push_back(explain(facts, connection));
    }
    if (report.connections.empty())
        return Error(fmt::format("no TCP connection of this network namespace is '{}'", target),
                     ENOENT);
    return report;
}

Result<Report> report_service(const Facts& facts, const std::string& target) {
    const auto pids = ServiceName(target).pids(facts.processes);
    Report report;
    for (const Process& process : facts.processes) {
        if (pids.contains(process.pid))
            report.processes.emplace_back(process, explain_process(facts, process));
    }
    if (report.processes.empty())
        return Error(fmt::format("no process of this network namespace is of '{}'", target),
                     ENOENT);
    for (const TcpSocket& connection : facts.connections) {
        const auto owners = facts.owners(connection);
        if (std::any_of(owners.begin(), owners.end(),
                        [&](const Process* owner) { return pids.contains(owner->pid); }))
            report.connections.push_back(explain(facts, connection));
    }
    return report;
}

}  // namespace

Run add_explain(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("TARGET", options->target,
                    "LOCAL-PEER, ADDR:PORT, :PORT; or a unit, a cgroup, a pid")
        ->required();
    command.add_option("--most", options->most, "connections named of which the same is said")
        ->capture_default_str();
    return [options](const Session& session) -> int {
        const Facts facts = gather_facts(Depth::all);
        const auto report = looks_like_connection(options->target)
                                ? report_connection(facts, options->target)
                                : report_service(facts, options->target);
        if (!report)
            return fail(session, report.error().code() == ENOENT ? kRefused : kUsage,
                        report.error());
        if (session.json)
            fmt::print("{}", to_line(json_of(*report, facts)));
        else
            print(*report, facts, options->most);
        return kOk;
    };
}

}  // namespace libra
