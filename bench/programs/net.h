// SPDX-License-Identifier: GPL-2.0-only
// Sockets as the benchmark programs use them: nothing blocks.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "common/epoll.h"
#include "common/error.h"
#include "common/fd.h"

namespace libra::bench {

using test::Epoll;
using test::Error;
using test::Fd;

struct Endpoint {
    sockaddr_storage address = {};
    socklen_t size = 0;
    std::string text;  // as it was given
};

Endpoint parse_endpoint(const std::string& text);  // IP:PORT or [IPv6]:PORT; throws Error

Fd listen_on(const Endpoint& endpoint);  // throws Error
Fd accept_from(const Fd& listener);      // empty: nobody there; TCP_NODELAY is set
// Throws Error only if there is no socket to be had. `error` is 0,
// EINPROGRESS or why it failed; TCP_NODELAY is set.
Fd connect_to(const Endpoint& endpoint, int& error);
int pending_error(const Fd& fd);  // SO_ERROR

// Says "ready" on stdout, with the port if the system chose it.
void announce(const Fd& listener, const Endpoint& endpoint);

// Readable when SIGTERM or SIGINT came, which no longer end the process.
Fd stop_signal();

// As many open files as we may have.
void raise_file_limit();

}  // namespace libra::bench
