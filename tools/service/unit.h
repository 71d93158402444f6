// SPDX-License-Identifier: GPL-2.0-only
// What systemd knows of a service, as far as a preload is concerned.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "error.h"
#include "host.h"
#include "systemctl.h"

namespace libra::service {

struct EnvironmentFile {
    std::string pattern;
    bool optional = false;
};

struct Unit {
    std::string name;  // of its aliases, the one that its files are named after
    std::string load_state;
    std::string load_error;
    std::string active_state;
    std::string file_state;
    std::filesystem::path fragment;
    std::vector<std::filesystem::path> drop_ins;
    bool transient = false;
    bool needs_reload = false;  // of systemd: somebody has edited its files

    std::string user;  // empty: root
    bool dynamic_user = false;
    std::vector<std::string> groups;
    bool private_devices = false;
    std::string device_policy;
    std::vector<std::string> devices;  // "/dev/libra rw"
    std::string root;                  // RootDirectory= or RootImage=

    std::vector<std::string> environment;  // NAME=VALUE
    std::vector<EnvironmentFile> environment_files;
    std::vector<std::string> unset_environment;

    std::filesystem::path program;
    std::vector<std::string> sockets;  // socket units that start it
    std::string cgroup;                // below the root of cgroups; empty: no processes
    int main_pid = 0;
    bool can_reload = false;
    std::string kill_mode;
    std::optional<std::chrono::seconds> stop_limit;
    std::optional<std::chrono::seconds> start_limit;

    bool starts_as_root() const {
        return !dynamic_user && (user.empty() || user == "root" || user == "0");
    }
    bool active() const { return active_state == "active" || active_state == "reloading"; }
    // The last one counts, as for systemd.
    std::optional<std::string> variable(const std::string& name) const;
};

// An error where it does not, with what there is in its place.
Status systemd_runs(const Host& host);

// Whatever state it is in, also if there is none of this name: see load_state.
Result<Unit> read_unit(const Systemctl& systemd, const std::string& name);

// Can this one be given a drop-in that then does something? If not, why, and what to do.
Status attachable(const Unit& unit);

// "1min 30s", as systemd says it. None for "infinity".
std::optional<std::chrono::seconds> parse_span(std::string_view text);

}  // namespace libra::service
