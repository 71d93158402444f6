// SPDX-License-Identifier: GPL-2.0-only
#include "processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <system_error>

#include "tcp_table.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kEstablished = 1;  // TCP_ESTABLISHED
constexpr std::string_view kPayload = "/payload (deleted)";

void add_processes(const fs::path& cgroup, std::vector<pid_t>& pids) {
    std::ifstream file(cgroup / "cgroup.procs");
    for (pid_t pid = 0; file >> pid;) {
        if (pid > 0)  // 0: of another PID namespace
            pids.push_back(pid);
    }
}

fs::path directory_of(const Host& host, pid_t pid) {
    return host.proc / fmt::format("{}", pid);
}

}  // namespace

std::vector<pid_t> processes_of(const Host& host, const std::string& cgroup) {
    std::vector<pid_t> pids;
    if (cgroup.empty())
        return pids;
    const fs::path top = host.cgroups / fs::path(cgroup).relative_path();
    add_processes(top, pids);
    std::error_code error;
    for (fs::recursive_directory_iterator at(top, error), end; !error && at != end;
         at.increment(error)) {
        std::error_code gone;
        if (at->is_directory(gone) && !at->is_symlink(gone))
            add_processes(at->path(), pids);
    }
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
}

Result<std::string> cgroup_of(const Host& host, pid_t pid) {
    std::ifstream file(directory_of(host, pid) / "cgroup");
    if (!file)
        return Error(fmt::format("there is no process {}", pid), ESRCH);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("0::"))
            return line.substr(3);
    }
    return Error(fmt::format("process {} is in no cgroup of version 2", pid), ENOENT);
}

std::optional<Preloaded> look_at_memory(const Host& host, pid_t pid, const fs::path& library) {
    Preloaded found;
    const std::string name = "/" + library.filename().string();
    std::ifstream file(directory_of(host, pid) / "maps");
    bool any = false;
    for (std::string line; std::getline(file, line);) {
        any = true;
        const auto path_at = line.find('/');
        if (path_at == std::string::npos)
            continue;
        std::string_view path = std::string_view(line).substr(path_at);
        if (path == kPayload) {
            // "7f…-7f… rw-s": shared, as no file of that name in the root would be
            const auto space = line.find(' ');
            found.payload |= space + 4 < line.size() && line[space + 4] == 's';
            continue;
        }
        constexpr std::string_view kDeleted = " (deleted)";  // replaced by another version
        if (path.ends_with(kDeleted))
            path.remove_suffix(kDeleted.size());
        found.library |= path.ends_with(name);
    }
    return any ? std::optional(found) : std::nullopt;
}

std::size_t connections_of(const Host& host, const std::vector<pid_t>& pids) {
    if (pids.empty())
        return 0;
    std::set<std::uint64_t> inodes;
    for (const pid_t pid : pids)
        inodes.merge(socket_inodes(directory_of(host, pid)));
    std::size_t count = 0;
    for (const TcpSocket& socket : read_tcp_table(directory_of(host, pids.front()) / "net"))
        count += socket.state == kEstablished && inodes.contains(socket.inode);
    return count;
}

}  // namespace libra::service
