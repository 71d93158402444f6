// SPDX-License-Identifier: GPL-2.0-only
// /proc/net/libra_sockets: the attached connections of a network namespace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "address.h"
#include "error.h"

namespace libra {

inline constexpr const char* kSocketsTitle = "libra_sockets 1";

struct KernelDirection {
    std::string state;  // boundary, meta, payload, pass
    std::string why;    // it passes: as its counter is called
    std::uint64_t payload = 0;
    std::uint64_t kept = 0;  // of it: in the kernel, or sent from there

    bool passes() const { return state == "pass"; }
};

struct KernelSocket {
    Endpoint local;
    Endpoint peer;
    std::uint64_t inode = 0;
    bool client = false;  // or an upstream
    std::string mode;     // dry-run, token
    std::string domain;   // "-": no policy names it
    std::uint32_t policy = 0;
    std::string parser;
    bool stranger = false;
    bool requests = false;  // what clients send may be kept as well
    KernelDirection rx;
    KernelDirection tx;
    bool tls_rx = false;  // kernel TLS
    bool tls_tx = false;
    std::int64_t charge = 0;
    // Connections of its domain, and ones that nobody has used yet, for whose sake nothing
    // that is received here is kept.
    std::int64_t held_by = 0;
    std::int64_t unused = 0;
    std::string passing;  // what it sends is not understood: as that is called; or empty
    std::uint64_t passing_seconds = 0;
    bool used = false;            // since then; until it is, it holds everybody down
    std::vector<pid_t> sessions;  // that use it then

    const KernelDirection& requests_of() const { return client ? rx : tx; }
    const KernelDirection& responses_of() const { return client ? tx : rx; }
};

Result<std::vector<KernelSocket>> parse_kernel_sockets(std::string_view text);
// @net: /proc/net, or that of a process
Result<std::vector<KernelSocket>> read_kernel_sockets(const std::string& net = "/proc/net");

}  // namespace libra
