// SPDX-License-Identifier: GPL-2.0-only
// A TCP connection over loopback, of which this process has both ends.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/fd.h"

namespace libra::test {

struct Link {
    // buffer: bytes that either end's socket takes without anybody reading; 0 as it is.
    explicit Link(int family = AF_INET, int buffer = 4 << 20);

    Fd here;  // where the case receives or sends
    Fd peer;
};

void send_all(const Fd& fd, const char* data, std::size_t size, int flags = 0);
inline void send_all(const Fd& fd, const std::string& data) {
    send_all(fd, data.data(), data.size());
}
// Exactly as many bytes, or Failed.
void receive_all(const Fd& fd, char* to, std::size_t size);
std::string take(const Fd& fd, std::size_t size);

// The peer sends this part of a stream, and all of it is in the queue when this returns.
void feed(const Link& link, std::size_t size, std::uint64_t stream, std::uint64_t position = 0);
std::size_t queued(const Fd& fd);
void wait_queued(const Fd& fd, std::size_t size);
// Both: what a proxy does when it reads.
void receive_pattern(const Link& link, char* to, std::size_t size, std::uint64_t stream,
                     std::uint64_t position = 0);
// The peer gets these bytes.
void require_arrival(const Link& link, std::size_t size, std::uint64_t stream,
                     std::uint64_t position, const std::string& what);

// In a network namespace that is new.
void bring_up_loopback();

void set_option(const Fd& fd, int level, int name, int value);

}  // namespace libra::test
