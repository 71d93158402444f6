// SPDX-License-Identifier: GPL-2.0-only
#include "processes.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

#include "proc_fields.h"
#include "tcp_table.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLibrary = "libra-malloc.so";
constexpr std::string_view kCgroupMount = "/sys/fs/cgroup";
// Environments are as long as their owner wants.
constexpr std::size_t kSmallFile = 4UL << 20;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string read_small(const fs::path& path) {
    auto text = read_proc_file(path, kSmallFile);
    return text ? std::move(*text) : std::string();
}

// "7 (a name) b) S 1 7 7 ...": the name may have anything in it, so what follows its last ')'.
bool read_stat(const fs::path& directory, Process& process) {
    const std::string text = read_small(directory / "stat");
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return false;
    process.name = harmless(text.substr(open + 1, close - open - 1));
    std::istringstream words(text.substr(close + 1));
    std::vector<std::string> fields;
    for (std::string word; words >> word;)
        fields.push_back(word);
    // state ppid pgrp session
    constexpr std::size_t kParent = 1;
    constexpr std::size_t kSession = 3;
    if (fields.size() <= kSession)
        return false;
    process.parent = static_cast<pid_t>(number(fields[kParent]).value_or(0));
    process.session = static_cast<pid_t>(number(fields[kSession]).value_or(0));
    return true;
}

// "0::/system.slice/nginx.service"
std::string read_cgroup(const fs::path& directory) {
    std::istringstream lines(read_small(directory / "cgroup"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("0::"))
            return harmless(line.substr(3));
    }
    return "";
}

bool names_library(const std::string& environment) {
    constexpr std::string_view kVariable = "LD_PRELOAD=";
    for (std::size_t at = 0; at < environment.size();) {
        const std::string_view one = environment.c_str() + at;
        if (one.starts_with(kVariable) && one.find(kLibrary) != std::string_view::npos)
            return true;
        at += one.size() + 1;
    }
    return false;
}

std::uint64_t net_of(const fs::path& directory) {
    struct stat net {};
    return stat((directory / "ns/net").c_str(), &net) ? 0 : net.st_ino;
}

bool is_unit(std::string_view name) {
    return name.ends_with(".service") || name.ends_with(".scope");
}

bool is_below(std::string_view path, std::string_view directory) {
    return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

}  // namespace

std::string Process::service() const {
    // The innermost: a user's units are below user@1000.service.
    std::string unit;
    for (const auto& part : fs::path(cgroup)) {
        if (is_unit(part.string()))
            unit = part.string();
    }
    if (!unit.empty())
        return unit;
    return cgroup.empty() || cgroup == "/" ? name : cgroup;
}

std::optional<Process> read_process(const fs::path& proc, pid_t pid, Depth depth) {
    const fs::path directory = proc / std::to_string(pid);
    Process process;
    process.pid = pid;
    if (!read_stat(directory, process))
        return std::nullopt;
    process.cgroup = read_cgroup(directory);
    process.net = net_of(directory);
    process.sockets = socket_inodes(directory);
    if (depth == Depth::all) {
        process.preloads = names_library(read_small(directory / "environ"));
        process.library = read_small(directory / "maps").find(kLibrary) != std::string::npos;
    }
    return process;
}

std::vector<Process> read_processes(const fs::path& proc, Depth depth) {
    std::vector<Process> processes;
    std::error_code error;
    for (fs::directory_iterator at(proc, error), end; !error && at != end; at.increment(error)) {
        const auto pid = number(at->path().filename().string());
        if (!pid || *pid > static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max()))
            continue;
        if (read_small(at->path() / "cmdline").empty())
            continue;  // the kernel's, or a zombie
        if (auto process = read_process(proc, static_cast<pid_t>(*pid), depth))
            processes.push_back(std::move(*process));
    }
    std::sort(processes.begin(), processes.end(),
              [](const Process& a, const Process& b) { return a.pid < b.pid; });
    return processes;
}

ServiceName::ServiceName(std::string text) {
    if (const auto pid = number(text); pid && *pid <= std::numeric_limits<pid_t>::max()) {
        pid_ = static_cast<pid_t>(*pid);
    } else if (text.starts_with('/')) {
        std::string_view path = text;
        if (is_below(path, kCgroupMount))
            path.remove_prefix(kCgroupMount.size());
        while (path.size() > 1 && path.ends_with('/'))
            path.remove_suffix(1);
        cgroup_ = path.empty() ? "/" : path;
    } else {
        unit_ = text.find('.') == std::string::npos ? text + ".service" : text;
    }
}

bool ServiceName::names(const Process& process) const {
    if (pid_)
        return process.pid == *pid_;
    if (!cgroup_.empty())
        return cgroup_ != "/" && is_below(process.cgroup, cgroup_);
    const fs::path cgroup(process.cgroup);
    return std::any_of(cgroup.begin(), cgroup.end(),
                       [this](const fs::path& part) { return part.string() == unit_; });
}

std::set<pid_t> ServiceName::pids(const std::vector<Process>& processes) const {
    std::set<pid_t> found;
    for (const Process& process : processes) {
        if (names(process))
            found.insert(process.pid);
    }
    // Until there are no more children; they need not come behind their parents.
    for (std::size_t before = 0; pid_ && before != found.size();) {
        before = found.size();
        for (const Process& process : processes) {
            if (found.contains(process.parent))
                found.insert(process.pid);
        }
    }
    return found;
}

}  // namespace libra
