// SPDX-License-Identifier: GPL-2.0-only
// /proc/net/tcp and tcp6: the TCP sockets of a network namespace; and whose they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "address.h"

namespace libra {

struct TcpSocket {
    Endpoint local;  // prefix: 128; 96 for 0.0.0.0, and 0 for [::]
    Endpoint peer;
    unsigned state = 0;  // TCP_LISTEN and the others of netinet/tcp.h
    std::uint64_t inode = 0;
};

// @net: /proc/net, or that of a process. What cannot be read is left out.
std::vector<TcpSocket> read_tcp_table(const std::filesystem::path& net);

// The inodes of the sockets, of all kinds, of this process (/proc/PID).
std::set<std::uint64_t> socket_inodes(const std::filesystem::path& process);

}  // namespace libra
