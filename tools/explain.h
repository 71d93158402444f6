// SPDX-License-Identifier: GPL-2.0-only
// Why a connection is, or is not, accelerated, and what would mend that. From facts alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "facts.h"
#include "protocol.h"

namespace libra {

enum class Verdict {
    yes,      // payload stays in the kernel
    partly,   // some does or did, and something keeps other payload from it
    no,       // none does
    unknown,  // nothing keeps it from that, as far as can be told; nothing shows that it does
};

struct Finding {
    std::string code;  // for scripts; libractl.8 lists them
    std::string text;
    std::string mend;  // empty: there is none, or nothing is wrong
};

struct Explanation {
    TcpSocket connection;
    std::string service;
    std::vector<pid_t> pids;
    Verdict verdict = Verdict::unknown;
    std::vector<Finding> findings;

    bool has(std::string_view code) const;
};

std::string_view verdict_name(Verdict verdict);

Explanation explain(const Facts& facts, const TcpSocket& connection);

// What is known of a process whatever it is connected to: has it payload memory, and if not,
// why not?
std::vector<Finding> explain_process(const Facts& facts, const Process& process);

// A name of a fallback counter in words, and what to do.
struct Reason {
    std::string text;
    std::string mend;
};
Reason passing_reason(std::string_view counter);

// The two ends of connections that are meant: LOCAL-PEER, ADDR:PORT of any side, or :PORT.
class ConnectionName {
  public:
    static Result<ConnectionName> parse(const std::string& text);
    bool names(const TcpSocket& connection) const;
    std::uint16_t port() const { return first_.port; }
    std::uint16_t peer_port() const { return second_.port; }  // 0: any

  private:
    Endpoint first_;
    Endpoint second_;  // port 0: there is one end only
};

// Does this look like a connection, and not like a service?
bool looks_like_connection(const std::string& text);

}  // namespace libra
