// SPDX-License-Identifier: GPL-2.0-only
#include "facts.h"

#include <netinet/tcp.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "proc_fields.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

template <typename T>
void read_setting(const fs::path& proc, const char* name, T& value) {
    const auto text = read_proc_file(proc / "sys/net/libra" / name);
    std::uint64_t number = 0;
    if (text &&
        std::from_chars(text->data(), text->data() + text->size(), number).ec == std::errc())
        value = static_cast<T>(number);
}

Settings read_settings(const fs::path& proc) {
    Settings settings;
    read_setting(proc, "enabled", settings.token);
    read_setting(proc, "lazy", settings.lazy);
    read_setting(proc, "lazy_feedback", settings.feedback);
    read_setting(proc, "tls", settings.tls);
    read_setting(proc, "unattached", settings.unattached);
    read_setting(proc, "min_anchor", settings.min_anchor);
    return settings;
}

// False: it is not known.
template <typename T>
bool take(Result<T> read, T& value, std::vector<std::string>& unknown) {
    if (read)
        value = std::move(*read);
    else
        unknown.push_back(read.error().message());
    return static_cast<bool>(read);
}

bool can_carry(const TcpSocket& socket) {
    return socket.state != TCP_LISTEN && socket.state != TCP_CLOSE &&
           socket.state != TCP_TIME_WAIT && socket.state != TCP_SYN_RECV && socket.inode != 0;
}

}  // namespace

std::uint64_t Facts::stat(std::string_view name) const {
    const auto found = std::find_if(stats.begin(), stats.end(),
                                    [&](const auto& counter) { return counter.first == name; });
    return found == stats.end() ? 0 : found->second;
}

const KernelSocket* Facts::attachment(const TcpSocket& connection) const {
    const auto found =
        std::find_if(attached.begin(), attached.end(), [&](const KernelSocket& socket) {
            return socket.local == connection.local && socket.peer == connection.peer;
        });
    return found == attached.end() ? nullptr : &*found;
}

const PayloadProcess* Facts::payload_of(pid_t pid) const {
    const auto found = std::find_if(payload.begin(), payload.end(),
                                    [&](const PayloadProcess& one) { return one.pid == pid; });
    return found == payload.end() ? nullptr : &*found;
}

std::vector<const Process*> Facts::owners(const TcpSocket& connection) const {
    std::vector<const Process*> found;
    for (const Process& process : processes) {
        if (process.sockets.contains(connection.inode))
            found.push_back(&process);
    }
    return found;
}

Facts gather_facts(Depth depth, const fs::path& proc) {
    const fs::path net = proc / "self/net";
    Facts facts;
    facts.loaded = fs::exists(net / "libra_stat");
    if (facts.loaded) {
        facts.settings = read_settings(proc);
        take(read_kernel_stats((net / "libra_stat").c_str()), facts.stats, facts.unknown);
        facts.attached_known = take(read_kernel_sockets(net), facts.attached, facts.unknown);
        facts.payload_known = take(read_kernel_payload(net), facts.payload, facts.unknown);
    }
    for (const TcpSocket& socket : read_tcp_table(net)) {
        if (can_carry(socket))
            facts.connections.push_back(socket);
    }
    struct stat own {};
    const bool known = stat((proc / "self/ns/net").c_str(), &own) == 0;
    for (Process& process : read_processes(proc, depth)) {
        if (!known || process.net == 0 || process.net == own.st_ino)
            facts.processes.push_back(std::move(process));
    }
    return facts;
}

}  // namespace libra
