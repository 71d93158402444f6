// SPDX-License-Identifier: GPL-2.0-only
#include "listeners.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

namespace libra {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListen = "0A";  // TCP_LISTEN
constexpr unsigned kMappedBits = 96;
constexpr std::string_view kSocket = "socket:[";

std::optional<std::uint32_t> hex(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

// 0100007F:0050, or four such words: as they are in memory, in network order.
std::optional<Endpoint> parse_address(std::string_view text) {
    const auto colon = text.find(':');
    if (colon != 8 && colon != 32)
        return std::nullopt;
    const auto port = hex(text.substr(colon + 1));
    if (!port || *port > 65535)
        return std::nullopt;
    Endpoint endpoint;
    endpoint.port = static_cast<std::uint16_t>(*port);
    const bool v4 = colon == 8;
    if (v4)
        endpoint.address[10] = endpoint.address[11] = 0xff;
    for (std::size_t word = 0; word * 8 < colon; ++word) {
        const auto value = hex(text.substr(word * 8, 8));
        if (!value)
            return std::nullopt;
        std::memcpy(endpoint.address.data() + (v4 ? 12 : word * 4), &*value, sizeof(*value));
    }
    const auto first = endpoint.address.begin() + (v4 ? 12 : 0);
    const bool any = std::all_of(first, endpoint.address.end(), [](auto byte) { return !byte; });
    endpoint.prefix = !any ? 128 : v4 ? kMappedBits : 0;
    return endpoint;
}

void read_table(const fs::path& path, std::vector<Listener>& out) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);  // the heading
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout;
        std::uint64_t inode = 0;
        words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        const auto endpoint = parse_address(local);
        if (words && state == kListen && endpoint)
            out.push_back({*endpoint, inode});
    }
}

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

// The inodes of a process's sockets.
std::set<std::uint64_t> sockets_of(const fs::path& process) {
    std::set<std::uint64_t> inodes;
    std::error_code error;
    for (fs::directory_iterator at(process / "fd", error), end; !error && at != end;
         at.increment(error)) {
        std::error_code gone;
        const std::string target = fs::read_symlink(at->path(), gone).string();
        if (!gone && target.starts_with(kSocket))
            inodes.insert(std::strtoull(target.c_str() + kSocket.size(), nullptr, 10));
    }
    return inodes;
}

}  // namespace

std::vector<Listener> read_listeners(const fs::path& proc) {
    std::vector<Listener> listeners;
    for (const char* name : {"tcp", "tcp6"})
        read_table(proc / "self" / "net" / name, listeners);
    return listeners;
}

std::vector<std::string> left_out(const fs::path& proc, const std::vector<Endpoint>& own,
                                  const std::vector<Endpoint>& named) {
    const auto listeners = read_listeners(proc);
    const auto wanted = [&](const Listener& listener) {
        return any<meets>(own, listener.endpoint);
    };
    std::set<std::string> found;
    if (std::none_of(listeners.begin(), listeners.end(), wanted))
        return {};
    std::error_code error;
    for (fs::directory_iterator at(proc, error), end; !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        const auto sockets = sockets_of(at->path());
        const auto has = [&](const Listener& listener) { return sockets.contains(listener.inode); };
        if (std::none_of(listeners.begin(), listeners.end(),
                         [&](const Listener& l) { return has(l) && wanted(l); }))
            continue;
        for (const Listener& listener : listeners) {
            if (has(listener) && !any<covers>(named, listener.endpoint))
                found.insert(format(listener.endpoint));
        }
    }
    return {found.begin(), found.end()};
}

}  // namespace libra
