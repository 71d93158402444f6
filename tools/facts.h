// SPDX-License-Identifier: GPL-2.0-only
// All that an explanation is drawn from, gathered at one time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernel_payload.h"
#include "kernel_sockets.h"
#include "kernel_stats.h"
#include "processes.h"
#include "tcp_table.h"

namespace libra {

struct Settings {
    bool token = true;  // net.libra.enabled
    bool lazy = true;
    bool feedback = true;
    bool tls = false;
    std::uint64_t unattached = 0;
    std::uint64_t min_anchor = 4096;
};

struct Facts {
    bool loaded = false;  // the module, as far as this network namespace shows
    Settings settings;
    KernelStats stats;
    std::vector<KernelSocket> attached;
    std::vector<PayloadProcess> payload;
    std::vector<TcpSocket> connections;  // established ones, or half closed
    std::vector<Process> processes;      // of this network namespace
    std::vector<std::string> unknown;    // what could not be read, and why
    bool attached_known = true;          // or it could not be read who is attached,
    bool payload_known = true;           // or who has payload memory

    std::uint64_t stat(std::string_view name) const;
    const KernelSocket* attachment(const TcpSocket& connection) const;
    const PayloadProcess* payload_of(pid_t pid) const;
    std::vector<const Process*> owners(const TcpSocket& connection) const;
};

// Of this process's network namespace.
Facts gather_facts(Depth depth, const std::filesystem::path& proc = "/proc");

}  // namespace libra
