// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <algorithm>

#include "drop_in_file.h"
#include "durable_file.h"
#include "processes.h"
#include "restarting.h"
#include "signals_held.h"
#include "steps.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

Error not_attached(const Unit& unit, const fs::path& library) {
    const auto preload = unit.variable(kPreload);
    if (!preload || !names_library(*preload, library))
        return Error(fmt::format("{} is not attached", unit.name), ENOENT);
    std::vector<std::string> files;
    for (const fs::path& each : unit.drop_ins)
        files.push_back(each.string());
    return Error(fmt::format("{} has the library by a file that libractl did not write: take the "
                             "line out of {}",
                             unit.name,
                             files.empty() ? unit.fragment.string()
                                           : fmt::format("{}", fmt::join(files, " or "))),
                 ENOENT);
}

// Removes it, and sees that systemd has forgotten it.
Status put_out_of_force(const Context& context, const Unit& unit, const DropInFile& file) {
    auto change = FileChange::remove(file.path, made_directory(file.text));
    if (!change)
        return std::move(change).error();
    auto status = context.systemd.daemon_reload();
    if (status) {
        const auto now = read_unit(context.systemd, unit.name);
        if (!now)
            status = now.error();
        else if (std::find(now->drop_ins.begin(), now->drop_ins.end(), file.path) !=
                 now->drop_ins.end())
            status = Error(fmt::format("systemd still reads {}", file.path.string()));
    }
    if (status) {
        change->keep();
        return status;
    }
    auto undone = change->take_back();
    if (undone)
        undone = context.systemd.daemon_reload();
    return Error(fmt::format("{} ({})", status.error().message(),
                             undone ? "nothing is changed" : undone.error().message()));
}

std::size_t count_with_library(const Context& context, const std::string& name,
                               const fs::path& library) {
    const auto unit = read_unit(context.systemd, name);
    std::size_t count = 0;
    for (const pid_t pid : unit ? processes_of(context.host, unit->cgroup) : std::vector<pid_t>()) {
        const auto memory = look_at_memory(context.host, pid, library);
        count += memory && (memory->library || memory->payload);
    }
    return count;
}

}  // namespace

Result<Outcome> detach_service(const Context& context, const std::string& name,
                               const Choices& choices) {
    if (auto status = systemd_runs(context.host); !status)
        return std::move(status).error();
    const auto unit = read_unit(context.systemd, name);
    if (!unit)
        return unit.error();
    const auto& say = context.dialogue.say;
    const auto file = find_drop_in(context.host, unit->name);
    if (!file)
        return file.error();
    if (!*file)
        return not_attached(*unit, choices.wishes.library);
    Outcome outcome{
        .proved = true,
        .json = {{"ok", true}, {"service", unit->name}, {"file", (*file)->path.string()}}};
    if (choices.dry_run) {
        say(fmt::format("would remove {}{}", (*file)->path.string(),
                        made_directory((*file)->text) ? ", and its directory if nothing else is "
                                                        "in it"
                                                      : ""));
        outcome.json["dry_run"] = true;
        return outcome;
    }
    {
        const SignalsHeld held;
        if (auto status = put_out_of_force(context, *unit, **file); !status)
            return std::move(status).error();
    }
    say(fmt::format("removed {}", (*file)->path.string()));

    const auto& library = choices.wishes.library;
    const std::size_t before = count_with_library(context, unit->name, library);
    outcome.json["restarted"] = false;
    outcome.json["processes_with_library"] = before;
    if (before == 0) {
        say(fmt::format("no process of {} has the library", unit->name));
        return outcome;
    }
    if (!wants_restart(context, *unit, choices)) {
        say(
            fmt::format("not restarted: {} processes keep payload memory until systemctl restart "
                        "{}; sysctl net.libra.lazy=0 switches it off at once, for all of this "
                        "network namespace",
                        before, unit->name));
        return outcome;
    }
    if (auto status = restart(context, *unit); !status)
        return Error(fmt::format("{} is detached, and could not be restarted: {}", unit->name,
                                 status.error().message()));
    const std::size_t after = count_with_library(context, unit->name, library);
    outcome.json["restarted"] = true;
    outcome.json["processes_with_library"] = after;
    outcome.proved = after == 0;
    say(after == 0 ? fmt::format("{} runs again, without the library", unit->name)
                   : fmt::format("{} processes of {} still have the library: something else "
                                 "preloads it, see systemctl cat {}",
                                 after, unit->name, unit->name));
    return outcome;
}

}  // namespace libra::service
