// SPDX-License-Identifier: GPL-2.0-only
#include "explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "explain_lazy.h"
#include "quantity.h"

namespace libra {
namespace {

struct KnownReason {
    std::string_view counter;
    std::string_view text;
    std::string_view mend;
};

constexpr std::array kReasons = {
    KnownReason{"fallback_parser_pass",
                "the parser met what it does not understand: TLS, HTTP/2, an upgrade such as "
                "WebSocket, CONNECT, or HTTP/1 that could be read in two ways",
                "keep such traffic on a listener of its own, with a policy of its own: parser tls "
                "for TLS that is passed on, raw for what the proxy looks at nothing of"},
    KnownReason{"fallback_parser_gone", "its parser is not registered any more",
                "start librad, and let the proxy open new connections"},
    KnownReason{"fallback_parser_bad_answer", "its parser gave an answer that cannot be",
                "this is a fault of the parser: report it"},
    KnownReason{"fallback_header_too_long", "a header was longer than net.libra.max_header",
                "raise net.libra.max_header"},
    KnownReason{"fallback_resync", "bytes were read or written past the parser", ""},
    KnownReason{"fallback_urgent_data", "there was urgent data", ""},
    KnownReason{"fallback_ulp", "a ULP, such as kernel TLS, came on top",
                "set net.libra.tls to 1 if it is kernel TLS"},
    KnownReason{"fallback_adopted", "the connection was there before the policy",
                "it ends with the connection: wait, or restart the proxy"},
    KnownReason{"fallback_stranger",
                "no policy names the connection, and its process may have tokens in memory",
                "name its listener, or its upstream, in a policy of the same domain"},
    KnownReason{"fallback_nomem", "memory ran out", ""},
};

void add(Explanation& explanation, std::string code, std::string text, std::string mend = {}) {
    explanation.findings.push_back({std::move(code), std::move(text), std::move(mend)});
}

std::string share(const KernelDirection& direction) {
    if (!direction.payload)
        return "no payload yet";
    return fmt::format(
        "{:.1f} % of {} kept in the kernel",
        100.0 * static_cast<double>(direction.kept) / static_cast<double>(direction.payload),
        format_bytes(direction.payload));
}

// What is sent as responses could leave by clients, and requests by upstreams.
bool holds(const KernelSocket& holder, const KernelSocket& held, bool clients,
           const std::vector<const Process*>& owners) {
    if (holder.passing.empty() || holder.client != clients)
        return false;
    if (holder.domain == held.domain || !holder.used)
        return true;
    return std::any_of(owners.begin(), owners.end(), [&](const Process* owner) {
        return std::find(holder.sessions.begin(), holder.sessions.end(), owner->session) !=
               holder.sessions.end();
    });
}

void explain_holders(const Facts& facts, const KernelSocket& socket, bool clients,
                     const std::vector<const Process*>& owners, Explanation& explanation) {
    const KernelSocket* oldest = nullptr;
    std::size_t others = 0;
    for (const KernelSocket& holder : facts.attached) {
        if (!holds(holder, socket, clients, owners))
            continue;
        if (oldest)
            ++others;
        if (!oldest || holder.passing_seconds > oldest->passing_seconds)
            oldest = &holder;
    }
    if (!oldest)
        return;
    const auto reason = passing_reason(oldest->passing);
    const std::string more = others ? fmt::format(", and {} more", others) : std::string();
    const std::string where = oldest->stranger ? std::string("which no policy names")
                                               : fmt::format("of domain {}", oldest->domain);
    add(explanation, clients ? "held_by_client" : "held_by_upstream",
        fmt::format("no {} are kept in the kernel now: held native by {} {} (at {}, {}) for {} "
                    "s{}: {}",
                    clients ? "responses" : "requests", clients ? "client" : "upstream",
                    format_endpoint(oldest->peer), format_endpoint(oldest->local), where,
                    oldest->passing_seconds, more, reason.text),
        reason.mend.empty() ? "close that connection" : reason.mend);
}

void explain_direction(const KernelDirection& direction, const char* what, bool wanted,
                       Explanation& explanation) {
    if (direction.passes()) {
        const auto reason = passing_reason(direction.why);
        add(explanation, "passes",
            fmt::format("{} ({}): passes, copied for good, since {} [{}]", what, share(direction),
                        reason.text, direction.why),
            reason.mend);
        return;
    }
    if (!wanted && !direction.kept) {
        add(explanation, "requests_copied", fmt::format("{}: copied, as the policy says", what),
            "libractl attach --anchor-requests, if request bodies are large");
        return;
    }
    add(explanation, "kept", fmt::format("{}: {}", what, share(direction)));
}

// What stands in the way of a connection of a policy at this moment.
void explain_obstacles(const Facts& facts, const KernelSocket& socket, Explanation& explanation) {
    if (socket.mode == "dry-run")
        add(explanation, "dry_run",
            "what could be kept is counted, and copied: its policy is of mode dry-run, or was "
            "detached",
            "attach it in mode token; connections that are there stay as they are");
    if (!facts.settings.token)
        add(explanation, "off_by_sysctl",
            "token mode is off: net.libra.enabled is 0, nothing more is kept in the kernel",
            "sysctl net.libra.enabled=1");
    if (facts.settings.unattached)
        add(explanation, "unattached",
            fmt::format("{} connections that a policy names could not be attached; until librad "
                        "has adopted them nothing is kept",
                        facts.settings.unattached),
            "see that librad runs");
}

void explain_attached(const Facts& facts, const KernelSocket& socket,
                      const std::vector<const Process*>& owners, Explanation& explanation) {
    if (socket.stranger) {
        add(explanation, "stranger",
            fmt::format("no policy names this connection, but its process receives tokens: it is "
                        "copied natively and searched for them{}",
                        socket.client ? ", and while it is there no responses are kept for that "
                                        "proxy"
                                      : ""),
            fmt::format("name it in a policy of the proxy's domain: libractl attach {} {} ...",
                        socket.client ? "--listen" : "--upstream",
                        format_endpoint(socket.client ? socket.local : socket.peer)));
        explanation.verdict = Verdict::no;
        return;
    }
    add(explanation, "attached",
        fmt::format("attached by policy {} ({}, domain {}, {}), towards {}", socket.policy,
                    socket.parser, socket.domain, socket.mode,
                    socket.client ? "a client" : "an upstream"));
    const std::size_t before = explanation.findings.size();
    explain_direction(socket.responses_of(), "responses", true, explanation);
    explain_direction(socket.requests_of(), "requests", socket.requests, explanation);
    explain_obstacles(facts, socket, explanation);
    explain_holders(facts, socket, true, owners, explanation);
    if (socket.requests)
        explain_holders(facts, socket, false, owners, explanation);

    const bool some = socket.rx.kept || socket.tx.kept;
    const bool obstacle =
        std::any_of(explanation.findings.begin() + static_cast<std::ptrdiff_t>(before),
                    explanation.findings.end(), [](const Finding& finding) {
                        return finding.code != "kept" && finding.code != "requests_copied";
                    });
    if (!some && !obstacle && socket.responses_of().payload)
        add(explanation, "small",
            fmt::format("what was read at once was less than net.libra.min_anchor ({} bytes), or "
                        "a limit was met: see fallback_ in libractl stats",
                        facts.settings.min_anchor),
            "larger buffers in the proxy");
    explanation.verdict = obstacle ? (some ? Verdict::partly : Verdict::no)
                          : some   ? Verdict::yes
                                   : Verdict::unknown;
}

void explain_not_attached(const Facts& facts, const TcpSocket& connection,
                          const std::vector<const Process*>& owners, Explanation& explanation) {
    add(explanation, "not_attached", "not attached: no policy of token mode names it");
    if (owners.empty()) {
        add(explanation, "no_owner",
            "no process that can be seen from here has it: not root, another pid namespace, or "
            "the kernel's own");
        explanation.verdict = Verdict::no;
        return;
    }
    explanation.verdict = Verdict::no;
    for (const Process* owner : owners) {
        const PayloadProcess* payload = facts.payload_of(owner->pid);
        if (payload) {
            explanation.verdict = explain_lazy(facts, *payload, connection, explanation.findings);
            return;
        }
    }
    for (Finding& finding : explain_process(facts, *owners.front()))
        explanation.findings.push_back(std::move(finding));
}

}  // namespace

bool Explanation::has(std::string_view code) const {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const Finding& finding) { return finding.code == code; });
}

std::string_view verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::yes:
            return "accelerated";
        case Verdict::partly:
            return "partly accelerated";
        case Verdict::no:
            return "not accelerated";
        case Verdict::unknown:
            break;
    }
    return "not known to be accelerated";
}

Reason passing_reason(std::string_view counter) {
    for (const auto& known : kReasons) {
        if (known.counter == counter)
            return {std::string(known.text), std::string(known.mend)};
    }
    return {describe_stat(counter), ""};
}

Explanation explain(const Facts& facts, const TcpSocket& connection) {
    Explanation explanation;
    explanation.connection = connection;
    const auto owners = facts.owners(connection);
    for (const Process* owner : owners)
        explanation.pids.push_back(owner->pid);
    if (!owners.empty())
        explanation.service = owners.front()->service();

    if (!facts.loaded) {
        add(explanation, "not_loaded", "libra.ko is not loaded", "scripts/load-module");
        explanation.verdict = Verdict::no;
    } else if (const KernelSocket* socket = facts.attachment(connection)) {
        explain_attached(facts, *socket, owners, explanation);
    } else if (!facts.attached_known || !facts.payload_known) {
        add(explanation, "not_known",
            "what the kernel knows of it could not be read: /proc/net/libra_sockets and "
            "libra_payload are root's",
            "run libractl as root");
    } else {
        explain_not_attached(facts, connection, owners, explanation);
    }
    return explanation;
}

std::vector<Finding> explain_process(const Facts& facts, const Process& process) {
    constexpr const char* kUnit =
        "systemctl edit the unit: [Service] Environment=LD_PRELOAD=/usr/lib/libra/libra-malloc.so, "
        "and restart it";
    if (facts.payload_of(process.pid))
        return {{"payload_memory", process.name + " has payload memory", ""}};
    if (!facts.payload_known)
        return {{"not_known", "whether " + process.name + " has payload memory could not be read",
                 "run libractl as root"}};
    const std::string who = process.name + " has no payload memory";
    if (process.library)
        return {{"no_device",
                 who + ": libra-malloc.so is loaded and got none: no large block was asked for "
                       "yet, or /dev/libra was missing or not permitted when it began, or "
                       "net.libra.lazy was 0",
                 "set LIBRA_MALLOC_VERBOSE=1 and restart it: it says why to standard error"}};
    if (process.preloads)
        return {{"not_preloaded",
                 who + ": LD_PRELOAD names libra-malloc.so, but it is not loaded: the file is not "
                       "there, or the program is static or setuid",
                 "look at the path; for programs without the C library use token mode"}};
    return {{"no_preload", who + ": LD_PRELOAD does not name libra-malloc.so", kUnit}};
}

bool looks_like_connection(const std::string& text) {
    return text.find(':') != std::string::npos && !text.starts_with('/');
}

Result<ConnectionName> ConnectionName::parse(const std::string& text) {
    ConnectionName name;
    const auto dash = text.find('-');
    const auto one = [](std::string end) {
        if (end.starts_with(':'))
            end.insert(0, "*");
        return parse_endpoint(end, Prefix::refused);
    };
    const auto first = one(text.substr(0, dash));
    if (!first)
        return first.error();
    name.first_ = *first;
    if (dash != std::string::npos) {
        const auto second = one(text.substr(dash + 1));
        if (!second)
            return second.error();
        name.second_ = *second;
    }
    return name;
}

bool ConnectionName::names(const TcpSocket& connection) const {
    const auto is = [](const Endpoint& wanted, const Endpoint& end) {
        return wanted.port == end.port && (wanted.prefix == 0 || wanted.address == end.address);
    };
    if (second_.port)
        return is(first_, connection.local) && is(second_, connection.peer);
    return is(first_, connection.local) || is(first_, connection.peer);
}

}  // namespace libra
