// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <pwd.h>

#include <array>

#include "drop_in_file.h"
#include "durable_file.h"
#include "known_programs.h"
#include "payload_check.h"
#include "processes.h"
#include "program_file.h"
#include "restarting.h"
#include "signals_held.h"
#include "steps.h"
#include "token_policies.h"
#include "tuning.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

// What is to be written, and all that was found out for it.
struct Plan {
    Unit unit;
    Wishes wishes;
    std::vector<Setting> settings;
    fs::path file;
    std::string text;
    bool there_already = false;  // this very text
    bool by_another = false;     // the library is preloaded, by somebody else's file
    std::vector<std::string> advice;
};

constexpr uid_t kSomebody = 65534;

Starter starter_of(const Unit& unit) {
    if (unit.starts_as_root())
        return {};
    std::array<char, 4096> buffer{};
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (getpwnam_r(unit.user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
        return {kSomebody, kSomebody};
    return {found->pw_uid, found->pw_gid};
}

Status machine_is_ready(const Host& host, const Unit& unit, const Wishes& wishes) {
    if (auto status = check_library(wishes.library); !status)
        return status;
    if (auto status = takes_preload(unit.program, starter_of(unit)); !status)
        return status;
    return lazy_is_on(host.proc);
}

Result<Plan> make_plan(const Context& context, const std::string& name, const Choices& choices) {
    const Host& host = context.host;
    if (auto status = systemd_runs(host); !status)
        return std::move(status).error();
    auto unit = read_unit(context.systemd, name);
    if (!unit)
        return std::move(unit).error();
    if (auto status = attachable(*unit); !status)
        return std::move(status).error();
    if (auto status = machine_is_ready(host, *unit, choices.wishes); !status)
        return std::move(status).error();
    const auto access = device_access(host.device);
    if (!access)
        return access.error();
    const auto manager = context.systemd.manager_environment();
    if (!manager)
        return manager.error();
    const auto there = find_drop_in(host, unit->name);
    if (!there)
        return there.error();

    Plan plan;
    plan.wishes = choices.wishes;
    plan.file = drop_in_path(host, unit->name, choices.runtime);
    if (*there && (*there)->path != plan.file)
        return Error(fmt::format("{0} is attached by {1} already: libractl detach {0}", unit->name,
                                 (*there)->path.string()),
                     EEXIST);
    const auto preload = unit->variable(kPreload);
    plan.by_another = !*there && preload && names_library(*preload, plan.wishes.library);
    // What an older drop-in has is not the unit's own.
    plan.wishes.min_block =
        min_block_for(unit->program, plan.wishes, !*there && unit->variable(kMinBlock));
    auto settings = settings_for(*unit, plan.wishes, host.device, *access, *manager);
    if (!settings)
        return std::move(settings).error();
    plan.settings = std::move(*settings);
    std::error_code error;
    const bool first =
        *there ? made_directory((*there)->text) : !fs::exists(plan.file.parent_path(), error);
    plan.text = compose(plan.settings, first);
    plan.there_already = *there && (*there)->text == plan.text;
    plan.advice = advice(*unit, module_comes_with_boot());
    plan.unit = std::move(*unit);
    return plan;
}

// Writes it, and sees that systemd has understood it.
Result<FileChange> put_into_force(const Context& context, const Plan& plan) {
    auto change = FileChange::write(plan.file, plan.text);
    if (!change)
        return std::move(change).error();
    auto status = context.systemd.daemon_reload();
    if (status) {
        const auto now = read_unit(context.systemd, plan.unit.name);
        status = now ? in_force(*now, plan.settings, plan.wishes, plan.file) : Status(now.error());
    }
    if (status)
        return change;
    auto undone = change->take_back();
    if (undone)
        undone = context.systemd.daemon_reload();
    if (!undone)
        return Error(fmt::format("{}; and {} could not be taken back: {}", status.error().message(),
                                 plan.file.string(), undone.error().message()));
    return Error(fmt::format("{} (nothing is changed)", status.error().message()),
                 status.error().code());
}

// The service as it was, and running.
Error take_back(const Context& context, const Plan& plan, FileChange& change, const Error& why) {
    auto undone = change.take_back();
    if (undone)
        undone = context.systemd.daemon_reload();
    if (undone)
        undone = restart(context, plan.unit);
    if (!undone)
        return Error(
            fmt::format("{} does not run with the library ({}); the drop-in is taken "
                        "back, and it does not run without it either: {}",
                        plan.unit.name, why.message(), undone.error().message()));
    return Error(
        fmt::format("{} does not run with the library ({}): the drop-in is taken back, "
                    "and it runs as before; see journalctl -u {}",
                    plan.unit.name, why.message(), plan.unit.name));
}

// A job that takes its time goes on, with or without us, and begins with what is written.
Error may_be_restarting(const Plan& plan, const Error& why) {
    const std::string way_back = plan.by_another
                                     ? ""
                                     : fmt::format("{} stays; libractl detach {} takes it back",
                                                   plan.file.string(), plan.unit.name);
    return Error(
        fmt::format("{}: {} may be restarting still, see systemctl status {}{}{}", why.message(),
                    plan.unit.name, plan.unit.name, way_back.empty() ? "" : "; ", way_back),
        ETIMEDOUT);
}

std::vector<pid_t> processes_now(const Context& context, const std::string& name) {
    const auto unit = read_unit(context.systemd, name);
    return unit ? processes_of(context.host, unit->cgroup) : std::vector<pid_t>();
}

// The processes that run have it: nothing is left to restart for.
bool all_have_it(const Context& context, const Plan& plan) {
    const auto pids = processes_of(context.host, plan.unit.cgroup);
    bool all = !pids.empty();
    for (const pid_t pid : pids) {
        const auto memory = look_at_memory(context.host, pid, plan.wishes.library);
        all &= memory && memory->library;
    }
    return all;
}

void show_plan(const Context& context, const Plan& plan, const Choices& choices) {
    const auto& say = context.dialogue.say;
    if (plan.by_another)
        say(
            fmt::format("{} has the library already, by a file that libractl did not write; "
                        "nothing would be written",
                        plan.unit.name));
    else
        say(fmt::format("{}\n{}", plan.file.string(), plan.text));
    if (!plan.unit.active()) {
        say(fmt::format("{} does not run", plan.unit.name));
        return;
    }
    Choices none = choices;
    none.restart = Restart::no;
    wants_restart(context, plan.unit, none);
}

Json left_out_json(const Context& context, const std::string& name) {
    Json all = Json::array();
    if (!context.policies)
        return all;
    for (const LeftOut& each :
         left_out_by_policies(context.host, *context.policies, processes_now(context, name))) {
        context.dialogue.say("warning: " + words_for(each));
        all.push_back({{"domain", each.domain}, {"listeners", each.listeners}});
    }
    return all;
}

// Restarts, if that is wanted; true if the library is in the processes then.
Result<bool> bring_in(const Context& context, const Plan& plan, const Choices& choices,
                      std::optional<FileChange>& change) {
    const auto& say = context.dialogue.say;
    if (!plan.unit.active()) {
        say(fmt::format("{} does not run: it has payload memory when it is started",
                        plan.unit.name));
        return false;
    }
    const bool unchanged = plan.there_already || plan.by_another;
    if (unchanged && choices.restart != Restart::yes && all_have_it(context, plan))
        return true;
    if (!wants_restart(context, plan.unit, choices)) {
        say(
            fmt::format("not restarted: its processes go on without the library until systemctl "
                        "restart {}",
                        plan.unit.name));
        return false;
    }
    if (auto status = restart(context, plan.unit); !status) {
        if (status.error().code() == ETIMEDOUT)
            return may_be_restarting(plan, status.error());
        if (!change)
            return std::move(status).error();
        return take_back(context, plan, *change, status.error());
    }
    return true;
}

Json outcome_json(const Plan& plan) {
    return {{"ok", true},
            {"service", plan.unit.name},
            {"file", plan.by_another ? Json() : Json(plan.file.string())},
            {"text", plan.by_another ? Json() : Json(plan.text)},
            {"already", plan.there_already || plan.by_another},
            {"advice", plan.advice}};
}

// What would make it gain more, as doctor finds it.
Json tuning_json(const Context& context, const Plan& plan) {
    auto tuning =
        tuning_of(context.host, plan.unit, processes_now(context, plan.unit.name), plan.wishes);
    if (!tuning.text.empty())
        context.dialogue.say(tuning.text);
    return std::move(tuning.json);
}

}  // namespace

Result<Outcome> attach_service(const Context& context, const std::string& name,
                               const Choices& choices) {
    const auto plan = make_plan(context, name, choices);
    if (!plan)
        return plan.error();
    const auto& say = context.dialogue.say;
    Outcome outcome{.proved = true, .json = outcome_json(*plan)};
    if (choices.dry_run) {
        show_plan(context, *plan, choices);
        for (const std::string& each : plan->advice)
            say(each);
        outcome.json["dry_run"] = true;
        outcome.json["tuning"] = tuning_json(context, *plan);
        return outcome;
    }

    std::optional<FileChange> change;
    if (plan->by_another) {
        say(fmt::format("{} has the library already, by a file that libractl did not write",
                        plan->unit.name));
    } else if (plan->there_already) {
        say(fmt::format("{} is attached already by {}", plan->unit.name, plan->file.string()));
    } else {
        const SignalsHeld held;
        auto written = put_into_force(context, *plan);
        if (!written)
            return std::move(written).error();
        change.emplace(std::move(*written));
        change->keep();
        say(fmt::format("wrote {}", plan->file.string()));
    }
    for (const std::string& each : plan->advice)
        say(each);
    const auto inside = bring_in(context, *plan, choices, change);
    if (!inside)
        return inside.error();
    outcome.json["left_out"] = left_out_json(context, plan->unit.name);
    outcome.json["in_its_processes"] = *inside;
    outcome.json["check"] = nullptr;
    if (!*inside) {
        outcome.json["tuning"] = tuning_json(context, *plan);
        return outcome;
    }

    const auto seen = watch(
        context.host, [&] { return processes_now(context, plan->unit.name); }, plan->wishes.library,
        choices.wait);
    if (!seen)
        return seen.error();
    if (auto status = runs(context.systemd, plan->unit.name); !status && change)
        return take_back(context, *plan, *change, status.error());
    say(words_for(*seen, plan->unit.name));
    outcome.proved = good(seen->verdict);
    outcome.json["check"] = to_json(*seen);
    outcome.json["tuning"] = tuning_json(context, *plan);
    return outcome;
}

}  // namespace libra::service
