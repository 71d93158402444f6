// SPDX-License-Identifier: GPL-2.0-only
// /proc/net/libra_payload: processes with payload memory, and what lazy mode has learned of
// what they receive.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace libra {

inline constexpr const char* kPayloadTitle = "libra_payload 1";

// What a process received last on a connection. Streams are few, and what collides in them
// is forgotten: where there is none, or another one's, that says nothing.
struct PayloadStream {
    std::uint16_t port = 0;
    std::uint16_t peer_port = 0;
    std::uint64_t lazy = 0;     // pages, since the last verdict
    std::uint64_t touched = 0;  // of them: looked at
    std::uint32_t pauses = 0;
    std::uint64_t copied_until = 0;  // bytes of the message
    bool trial = false;              // it was paused, and is tried again
    std::uint64_t seconds = 0;       // since it began, or paused last
    std::vector<int> scores;         // of its origin's parts; above 0: copied

    bool paused() const { return trial || copied_until > 0; }
};

struct PayloadProcess {
    pid_t pid = 0;
    std::uint64_t mapped = 0;
    std::int64_t charge = 0;
    std::uint64_t limit = 0;
    std::uint64_t at_limit = 0;  // times
    bool locked = false;
    bool native = false;  // some of it is not received into lazily any more
    std::vector<PayloadStream> streams;

    const PayloadStream* stream(std::uint16_t port, std::uint16_t peer_port) const;
};

// Of parts of a message, in the order of PayloadStream::scores; empty if there are more.
std::string_view part_name(std::size_t part);

Result<std::vector<PayloadProcess>> parse_kernel_payload(std::string_view text);
Result<std::vector<PayloadProcess>> read_kernel_payload(const std::string& net = "/proc/net");

}  // namespace libra
