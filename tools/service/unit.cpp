// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <system_error>
#include <utility>

#include "quoted.h"

namespace libra::service {
namespace {

const std::vector<std::string> kProperties{
    "Id",
    "LoadState",
    "LoadError",
    "ActiveState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "Transient",
    "NeedDaemonReload",
    "User",
    "DynamicUser",
    "SupplementaryGroups",
    "PrivateDevices",
    "DevicePolicy",
    "DeviceAllow",
    "RootDirectory",
    "RootImage",
    "EnvironmentFiles",
    "UnsetEnvironment",
    "TriggeredBy",
    "ControlGroup",
    "MainPID",
    "CanReload",
    "KillMode",
    "TimeoutStopUSec",
    "TimeoutStartUSec",
};

std::string one(const Properties& properties, const std::string& name) {
    const auto found = properties.find(name);
    return found == properties.end() ? "" : found->second;
}

bool yes(const Properties& properties, const std::string& name) {
    return one(properties, name) == "yes";
}

std::vector<std::string> words(const Properties& properties, const std::string& name) {
    return unquote_words(one(properties, name));
}

// One line for each. Nothing at all comes as one empty line, or none.
std::vector<std::string> all(const Properties& properties, const std::string& name) {
    std::vector<std::string> values;
    const auto [first, last] = properties.equal_range(name);
    for (auto at = first; at != last; ++at) {
        if (!at->second.empty())
            values.push_back(at->second);
    }
    return values;
}

// "/etc/default/haproxy (ignore_errors=yes)"
EnvironmentFile parse_environment_file(const std::string& text) {
    constexpr std::string_view kMark = " (ignore_errors=";
    const auto mark = text.rfind(kMark);
    if (mark == std::string::npos)
        return {text, false};
    return {text.substr(0, mark), text.substr(mark + kMark.size()).starts_with("yes")};
}

// "{ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -g ... ; ..."
std::filesystem::path parse_program(const std::string& text) {
    constexpr std::string_view kPath = "path=";
    const auto begin = text.find(kPath);
    const auto end = text.find(" ; argv[]=");
    if (begin == std::string::npos || end == std::string::npos || end < begin)
        return {};
    return text.substr(begin + kPath.size(), end - begin - kPath.size());
}

int parse_pid(const std::string& text) {
    int pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    return pid;
}

}  // namespace

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, long>, 8> kUnits{{
        {"us", 0},
        {"ms", 0},
        {"s", 1},
        {"min", 60},
        {"h", 3600},
        {"d", 86400},
        {"w", 604800},
        {"month", 2629800},
    }};
    std::chrono::seconds total{0};
    bool any = false;
    std::istringstream parts{std::string(text)};
    for (std::string part; parts >> part;) {
        double number = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
        const std::string_view name(end, static_cast<std::size_t>(part.data() + part.size() - end));
        const auto* unit = std::find_if(kUnits.begin(), kUnits.end(),
                                        [&](const auto& each) { return each.first == name; });
        if (error != std::errc() || unit == kUnits.end())
            return std::nullopt;
        total +=
            std::chrono::seconds(static_cast<long>(number * static_cast<double>(unit->second)));
        any = true;
    }
    return any ? std::optional(total) : std::nullopt;
}

std::optional<std::string> Unit::variable(const std::string& wanted) const {
    const std::string begin = wanted + "=";
    const auto found = std::find_if(environment.rbegin(), environment.rend(),
                                    [&](const auto& each) { return each.starts_with(begin); });
    if (found == environment.rend())
        return std::nullopt;
    return found->substr(begin.size());
}

Status systemd_runs(const Host& host) {
    std::error_code error;
    if (!std::filesystem::is_directory(host.runtime_units, error))
        return Error(fmt::format("systemd does not run here (there is no {}): start the program by "
                                 "'libractl run -- PROGRAM'",
                                 host.runtime_units.string()),
                     ENOENT);
    return Ok{};
}

Result<Unit> read_unit(const Systemctl& systemd, const std::string& name) {
    const auto properties = systemd.show(name, kProperties);
    if (!properties)
        return properties.error();
    const auto environment = systemd.value(name, "Environment");
    if (!environment)
        return environment.error();
    const auto starts = systemd.value(name, "ExecStart");
    if (!starts)
        return starts.error();

    const Properties& p = *properties;
    Unit unit;
    unit.name = one(p, "Id");
    unit.load_state = one(p, "LoadState");
    const auto error = words(p, "LoadError");  // its name, and what it means
    unit.load_error = error.size() > 1 ? error[1] : one(p, "LoadError");
    unit.active_state = one(p, "ActiveState");
    unit.file_state = one(p, "UnitFileState");
    unit.fragment = one(p, "FragmentPath");
    for (const std::string& path : words(p, "DropInPaths"))
        unit.drop_ins.emplace_back(path);
    unit.transient = yes(p, "Transient");
    unit.needs_reload = yes(p, "NeedDaemonReload");
    unit.user = one(p, "User");
    unit.dynamic_user = yes(p, "DynamicUser");
    unit.groups = words(p, "SupplementaryGroups");
    unit.private_devices = yes(p, "PrivateDevices");
    unit.device_policy = one(p, "DevicePolicy");
    unit.devices = all(p, "DeviceAllow");
    unit.root = one(p, "RootDirectory");
    if (unit.root.empty())
        unit.root = one(p, "RootImage");
    unit.environment = unquote_words(*environment);
    for (const std::string& file : all(p, "EnvironmentFiles"))
        unit.environment_files.push_back(parse_environment_file(file));
    unit.unset_environment = words(p, "UnsetEnvironment");
    unit.program = parse_program(*starts);
    unit.sockets = words(p, "TriggeredBy");
    unit.cgroup = one(p, "ControlGroup");
    unit.main_pid = parse_pid(one(p, "MainPID"));
    unit.can_reload = yes(p, "CanReload");
    unit.kill_mode = one(p, "KillMode");
    unit.stop_limit = parse_span(one(p, "TimeoutStopUSec"));
    unit.start_limit = parse_span(one(p, "TimeoutStartUSec"));
    std::erase_if(unit.sockets, [](const auto& each) { return !each.ends_with(".socket"); });
    return unit;
}

Status attachable(const Unit& unit) {
    if (unit.load_state == "not-found")
        return Error(fmt::format("there is no service {} (systemctl list-units --type=service "
                                 "lists them; a user's own, of systemctl --user, is not meant: see "
                                 "--user)",
                                 unit.name),
                     ENOENT);
    if (unit.load_state == "masked")
        return Error(
            fmt::format("{0} is masked, and cannot start: systemctl unmask {0}", unit.name));
    if (unit.load_state != "loaded")
        return Error(
            fmt::format("systemd cannot load {} ({}{}{}): mend it first, see "
                        "systemctl status {}",
                        unit.name, unit.load_state, unit.load_error.empty() ? "" : ": ",
                        unit.load_error, unit.name));
    if (unit.transient)
        return Error(
            fmt::format("{} is transient, and its files go with it: start it by "
                        "systemd-run -E LD_PRELOAD=…",
                        unit.name));
    if (!unit.root.empty())
        return Error(
            fmt::format("{} has a root directory of its own, {}, without the library and "
                        "the device: write a drop-in with BindReadOnlyPaths= for the "
                        "library and BindPaths= for the device, or take RootDirectory= "
                        "and RootImage= out",
                        unit.name, unit.root));
    if (unit.program.empty())
        return Error(fmt::format("{} has no ExecStart= that could be given a library", unit.name));
    return Ok{};
}

}  // namespace libra::service
