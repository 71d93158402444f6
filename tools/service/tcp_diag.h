// SPDX-License-Identifier: GPL-2.0-only
// TCP sockets as the kernel's sock_diag has them: those that are open, and those that have ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "address.h"
#include "error.h"
#include "unique_fd.h"

namespace libra::service {

struct DiagSocket {
    std::uint64_t cookie = 0;  // of no other socket, ever
    std::uint64_t inode = 0;   // 0: no process has it
    Endpoint local;            // prefix: 128; 96 for 0.0.0.0, and 0 for [::]
    bool listens = false;
    std::uint64_t sent = 0;  // bytes that send() took since it was opened

    bool operator==(const DiagSocket&) const = default;
};

class TcpDiag {
  public:
    TcpDiag(UniqueFd asks, UniqueFd hears) : asks_(std::move(asks)), hears_(std::move(hears)) {}
    // In the network namespace of this process (/proc/PID).
    static Result<std::unique_ptr<TcpDiag>> open(const std::filesystem::path& process);

    Result<std::vector<DiagSocket>> sockets() const;
    // Since the last call, or since it was opened. None, if some were lost.
    std::optional<std::vector<DiagSocket>> ended() const;

  private:
    UniqueFd asks_;
    UniqueFd hears_;
};

// What one netlink datagram has in it. Exposed for tests.
struct DiagMessages {
    std::vector<DiagSocket> sockets;
    bool done = false;
    int error = 0;
};
void read_messages(std::span<const std::byte> datagram, DiagMessages& out);

}  // namespace libra::service
