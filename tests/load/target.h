// SPDX-License-Identifier: GPL-2.0-only
// Where the requests go: an http:// URL, resolved once.
#pragma once

#include <sys/socket.h>

#include <string>

namespace libra::load {

struct Target {
    sockaddr_storage address = {};
    socklen_t address_size = 0;
    std::string host;  // as the Host header wants it
    std::string path;
};

// Throws Error.
Target resolve(const std::string& url);

}  // namespace libra::load
