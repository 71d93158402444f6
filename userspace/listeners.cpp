// SPDX-License-Identifier: GPL-2.0-only
#include "listeners.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <set>

#include "tcp_table.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

// The same address, as far as both say.
bool same_up_to(const Endpoint& a, const Endpoint& b, unsigned bits) {
    for (unsigned bit = 0; bit < bits; ++bit) {
        if ((a.address[bit / 8] ^ b.address[bit / 8]) & (0x80U >> (bit % 8)))
            return false;
    }
    return true;
}

bool meets(const Endpoint& rule, const Endpoint& listener) {
    return (rule.port == 0 || rule.port == listener.port) &&
           same_up_to(rule, listener, std::min(rule.prefix, listener.prefix));
}

bool covers(const Endpoint& rule, const Endpoint& listener) {
    return rule.prefix <= listener.prefix && meets(rule, listener);
}

template <bool (*Matches)(const Endpoint&, const Endpoint&)>
bool any(const std::vector<Endpoint>& rules, const Endpoint& listener) {
    return std::any_of(rules.begin(), rules.end(),
                       [&](const Endpoint& rule) { return Matches(rule, listener); });
}

std::string format(const Endpoint& listener) {
    if (listener.prefix == 128)
        return format_endpoint(listener);
    return fmt::format("{}:{}", listener.prefix ? "0.0.0.0" : "[::]", listener.port);
}

}  // namespace

std::vector<Listener> read_listeners(const fs::path& proc) {
    return listeners_of(proc / "self");
}

std::vector<Listener> listeners_of(const fs::path& process) {
    std::vector<Listener> listeners;
    for (const TcpSocket& socket : read_tcp_table(process / "net")) {
        if (socket.state == TCP_LISTEN)
            listeners.push_back({socket.local, socket.inode});
    }
    return listeners;
}

std::vector<std::string> left_out(const fs::path& proc, const std::vector<Endpoint>& own,
                                  const std::vector<Endpoint>& named) {
    const auto listeners = read_listeners(proc);
    if (std::none_of(listeners.begin(), listeners.end(),
                     [&](const Listener& listener) { return any<meets>(own, listener.endpoint); }))
        return {};
    std::vector<fs::path> processes;
    std::error_code error;
    for (fs::directory_iterator at(proc, error), end; !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.find_first_not_of("0123456789") == std::string::npos)
            processes.push_back(at->path());
    }
    return left_out_by(processes, listeners, own, named);
}

std::vector<std::string> left_out_by(const std::vector<fs::path>& processes,
                                     const std::vector<Listener>& listeners,
                                     const std::vector<Endpoint>& own,
                                     const std::vector<Endpoint>& named) {
    std::set<std::string> found;
    for (const fs::path& process : processes) {
        const auto sockets = socket_inodes(process);
        const auto has = [&](const Listener& listener) { return sockets.contains(listener.inode); };
        if (std::none_of(listeners.begin(), listeners.end(), [&](const Listener& listener) {
                return has(listener) && any<meets>(own, listener.endpoint);
            }))
            continue;
        for (const Listener& listener : listeners) {
            if (has(listener) && !any<covers>(named, listener.endpoint))
                found.insert(format(listener.endpoint));
        }
    }
    return {found.begin(), found.end()};
}

}  // namespace libra
