// SPDX-License-Identifier: GPL-2.0-only
// TCP sockets, and whose they are, as /proc has it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "address.h"

namespace libra {

struct TcpSocket {
    Endpoint local;      // prefix: 128; 96 for 0.0.0.0, and 0 for [::]
    unsigned state = 0;  // TCP_ESTABLISHED and so on
    std::uint64_t inode = 0;
};

// Those of the network namespace of this process (/proc/PID). None, if it cannot be read.
std::vector<TcpSocket> read_tcp_sockets(const std::filesystem::path& process);

// The inodes of this process's sockets, of all kinds.
std::set<std::uint64_t> socket_inodes(const std::filesystem::path& process);

}  // namespace libra
