// SPDX-License-Identifier: GPL-2.0-only
#include "drop_in.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

#include "quoted.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstLine =
    "# Written by libractl attach, and taken back by libractl detach, unless it is edited.\n";
constexpr std::string_view kMadeDirectory = "# Its directory was made for it.\n";
constexpr const char* kEnvironment = "Environment";
constexpr std::string_view kSealBegin = "# seal ";

// FNV-1a: to notice an edit, not to stop a forger, who could as well write the unit.
std::string digest(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3;
    }
    return fmt::format("{:016x}", hash);
}

class Glob {
  public:
    explicit Glob(const std::string& pattern) { glob(pattern.c_str(), 0, nullptr, &found_); }
    ~Glob() { globfree(&found_); }
    Glob(const Glob&) = delete;
    Glob& operator=(const Glob&) = delete;

    std::vector<fs::path> paths() const {
        return {found_.gl_pathv, found_.gl_pathv + found_.gl_pathc};
    }

  private:
    glob_t found_{};
};

bool sets_preload(const fs::path& file) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        line.erase(0, line.find_first_not_of(" \t"));
        if (!line.starts_with(kPreload))
            continue;
        const auto next = line.find_first_not_of(" \t", std::string_view(kPreload).size());
        if (next != std::string::npos && line[next] == '=')
            return true;
    }
    return false;
}

// What comes after Environment=, and so would win over it.
Status nothing_overrides(const Unit& unit, const Wishes& wishes) {
    for (const EnvironmentFile& each : unit.environment_files) {
        for (const fs::path& path : Glob(each.pattern).paths()) {
            if (sets_preload(path))
                return Error(fmt::format("{} sets LD_PRELOAD, and comes after what a drop-in says: "
                                         "put {} in front of its value there, by hand",
                                         path.string(), wishes.library.string()),
                             EEXIST);
        }
    }
    for (const std::string& each : unit.unset_environment) {
        if (each == kPreload || each.starts_with(std::string(kPreload) + "="))
            return Error(fmt::format("{} has UnsetEnvironment=LD_PRELOAD, which takes away "
                                     "whatever is set: take that line out",
                                     unit.name),
                         EEXIST);
    }
    return Ok{};
}

std::string preload_there(const Unit& unit, std::string_view manager_environment) {
    if (auto own = unit.variable(kPreload))
        return std::move(*own);
    Unit manager;
    manager.environment = unquote_words(manager_environment);
    return manager.variable(kPreload).value_or("");
}

bool devices_are_closed(const Unit& unit) {
    return unit.private_devices || unit.device_policy == "strict" ||
           unit.device_policy == "closed" || !unit.devices.empty();
}

// The line that a unit needs so that its user may open the device; none for root.
Result<std::optional<Setting>> group_for(const Unit& unit, const fs::path& device,
                                         const Access& access) {
    if (unit.starts_as_root() || (access.group.empty() && !access.root_only))
        return std::optional<Setting>();
    if (access.root_only)
        return Error(
            fmt::format("{} starts as user {}, and {} is root's alone: give it to the "
                        "group libra (groupadd --system libra; the udev rule "
                        "60-libra.rules; udevadm control --reload; udevadm trigger "
                        "--name-match=libra)",
                        unit.name, unit.dynamic_user ? "(dynamic)" : unit.user, device.string()),
            EACCES);
    return std::optional(Setting{"SupplementaryGroups", access.group});
}

std::string written(const Setting& setting) {
    return setting.name == kEnvironment ? quote_for_unit(setting.value) : setting.value;
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

}  // namespace

Result<std::vector<Setting>> settings_for(const Unit& unit, const Wishes& wishes,
                                          const fs::path& device, const Access& access,
                                          std::string_view manager_environment) {
    if (auto status = nothing_overrides(unit, wishes); !status)
        return std::move(status).error();
    const std::string there = preload_there(unit, manager_environment);
    if (has_control(there))
        return Error(fmt::format("the LD_PRELOAD of {} has characters in it that no path has: "
                                 "see systemctl show -p Environment {}",
                                 unit.name, unit.name),
                     EINVAL);
    std::vector<Setting> settings{
        {kEnvironment, fmt::format("{}={}", kPreload, merge_preload(there, wishes.library))}};
    if (wishes.min_block)
        settings.push_back({kEnvironment, fmt::format("{}={}", kMinBlock, *wishes.min_block)});
    // Where nothing is forbidden, a DeviceAllow= would forbid all the rest.
    if (devices_are_closed(unit))
        settings.push_back({"DeviceAllow", fmt::format("{} rw", device.string())});
    // The sandbox stays, and has one device more.
    if (unit.private_devices)
        settings.push_back({"BindPaths", "-" + device.string()});
    auto group = group_for(unit, device, access);
    if (!group)
        return std::move(group).error();
    if (*group)
        settings.push_back(std::move(**group));
    return settings;
}

std::string compose(const std::vector<Setting>& settings, bool made_directory) {
    std::string body;
    if (made_directory)
        body += kMadeDirectory;
    body += "[Service]\n";
    for (const Setting& each : settings)
        body += fmt::format("{}={}\n", each.name, written(each));
    return fmt::format("{}{}{}\n{}", kFirstLine, kSealBegin, digest(body), body);
}

Seal check_seal(std::string_view text) {
    const auto begin = text.find(kSealBegin);
    if (begin == std::string_view::npos || (begin > 0 && text[begin - 1] != '\n'))
        return Seal::none;
    const auto end = text.find('\n', begin);
    if (end == std::string_view::npos)
        return Seal::broken;
    const std::string_view seal =
        text.substr(begin + kSealBegin.size(), end - begin - kSealBegin.size());
    const bool whole = text.substr(0, begin) == kFirstLine && seal == digest(text.substr(end + 1));
    return whole ? Seal::whole : Seal::broken;
}

bool made_directory(std::string_view text) {
    return text.find(kMadeDirectory) != std::string_view::npos;
}

namespace {

// Files that systemd reads after this one.
std::string names_after(const Unit& unit, const fs::path& file) {
    std::vector<std::string> names;
    for (const fs::path& each : unit.drop_ins) {
        if (each.filename() > file.filename())
            names.push_back(each.string());
    }
    return names.empty() ? "another file" : fmt::format("{}", fmt::join(names, " or "));
}

bool has(const Unit& unit, const Setting& setting) {
    const auto among = [&](const std::vector<std::string>& all) {
        return std::find(all.begin(), all.end(), setting.value) != all.end();
    };
    if (setting.name == kEnvironment)
        return among(unit.environment);
    if (setting.name == "DeviceAllow")
        return among(unit.devices);
    if (setting.name == "SupplementaryGroups")
        return among(unit.groups);
    return true;  // systemctl does not show it in the same words
}

}  // namespace

Status in_force(const Unit& unit, const std::vector<Setting>& settings, const Wishes& wishes,
                const fs::path& file) {
    if (std::find(unit.drop_ins.begin(), unit.drop_ins.end(), file) == unit.drop_ins.end())
        return Error(fmt::format("systemd does not read {}: is {} the file of this machine?",
                                 file.string(), file.parent_path().string()),
                     ENOENT);
    for (const Setting& each : settings) {
        if (!has(unit, each))
            return Error(fmt::format("{} comes later and resets {}: put {}={} there, by hand",
                                     names_after(unit, file), each.name, each.name, written(each)),
                         EEXIST);
    }
    const auto preload = unit.variable(kPreload);
    if (!preload || !names_library(*preload, wishes.library))
        return Error(
            fmt::format("{} does not have the library in its LD_PRELOAD after all", unit.name));
    return Ok{};
}

}  // namespace libra::service
