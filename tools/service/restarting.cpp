// SPDX-License-Identifier: GPL-2.0-only
#include "restarting.h"

#include <fmt/format.h>

#include "known_programs.h"
#include "processes.h"

namespace libra::service {
namespace {

// Where systemd does not say how long it waits.
constexpr std::chrono::seconds kUsualLimit{90};
constexpr std::chrono::seconds kMargin{30};

std::string many(std::size_t count, std::string_view one) {
    if (count == 1)
        return fmt::format("1 {}", one);
    return fmt::format("{} {}{}", count, one, one.ends_with('s') ? "es" : "s");
}

}  // namespace

std::vector<std::string> restart_means(const Unit& unit, std::size_t processes,
                                       std::size_t connections) {
    std::vector<std::string> means;
    const std::string limit = unit.stop_limit
                                  ? fmt::format("after at most {} s", unit.stop_limit->count())
                                  : "when it likes";
    means.push_back(fmt::format(
        "a restart ends {}, {}, and begins anew: {}", many(processes, "process"), limit,
        connections ? fmt::format("{} {} open now, and cut if not done by then",
                                  many(connections, "connection"), connections == 1 ? "is" : "are")
                    : "no connection is open now"));
    means.push_back(unit.sockets.empty()
                        ? "new connections are refused until it listens again"
                        : fmt::format("new connections wait in {}, which stays open",
                                      fmt::join(unit.sockets, ", ")));
    if (auto other = without_restart(unit); !other.empty())
        means.push_back(std::move(other));
    if (const auto check = configuration_check(unit); !check.empty())
        means.push_back(
            fmt::format("it does not come back if its configuration is wrong: check "
                        "that first ({})",
                        check));
    return means;
}

bool wants_restart(const Context& context, const Unit& unit, const Choices& choices) {
    const auto pids = processes_of(context.host, unit.cgroup);
    for (const std::string& each :
         restart_means(unit, pids.size(), connections_of(context.host, pids)))
        context.dialogue.say(each);
    if (choices.restart == Restart::ask)
        return context.dialogue.agree(fmt::format("restart {} now?", unit.name));
    return choices.restart == Restart::yes;
}

Status runs(const Systemctl& systemd, const std::string& name) {
    const auto unit = read_unit(systemd, name);
    if (!unit)
        return unit.error();
    if (!unit->active())
        return Error(fmt::format("{} is {}", name, unit->active_state));
    return Ok{};
}

Status restart(const Context& context, const Unit& unit) {
    const auto limit =
        unit.stop_limit.value_or(kUsualLimit) + unit.start_limit.value_or(kUsualLimit) + kMargin;
    if (auto status = context.systemd.restart(unit.name, limit); !status)
        return status;
    return runs(context.systemd, unit.name);
}

}  // namespace libra::service
