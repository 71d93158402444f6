// SPDX-License-Identifier: GPL-2.0-only
#include "tcp_table.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace libra {
namespace {

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

void read_table(const std::filesystem::path& path, std::vector<TcpSocket>& out) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);  // the heading
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string slot, local, peer, state, queues, timer, retransmits, uid, timeout;
        std::uint64_t inode = 0;
        words >> slot >> local >> peer >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        const auto here = parse_address(local);
        const auto there = parse_address(peer);
        const auto number = hex(state);
        if (words && here && there && number)
            out.push_back({*here, *there, *number, inode});
    }
}

}  // namespace

std::vector<TcpSocket> read_tcp_table(const std::filesystem::path& net) {
    std::vector<TcpSocket> sockets;
    for (const char* name : {"tcp", "tcp6"})
        read_table(net / name, sockets);
    return sockets;
}

std::set<std::uint64_t> socket_inodes(const std::filesystem::path& process) {
    std::set<std::uint64_t> inodes;
    std::error_code error;
    for (std::filesystem::directory_iterator at(process / "fd", error), end; !error && at != end;
         at.increment(error)) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(at->path(), gone).string();
        if (gone || !target.starts_with(kSocket))
            continue;
        std::uint64_t inode = 0;
        const char* last = target.data() + target.size();
        const auto parsed = std::from_chars(target.data() + kSocket.size(), last, inode);
        if (parsed.ec == std::errc() && std::string_view(parsed.ptr, last) == "]")
            inodes.insert(inode);
    }
    return inodes;
}

}  // namespace libra
