// SPDX-License-Identifier: GPL-2.0-only
#include "explain_lazy.h"

#include <fmt/format.h>

#include "quantity.h"

namespace libra {
namespace {

// The kernel copies what it has not room for: beyond this it soon will.
constexpr double kNearLimit = 0.9;

// Every proxy looks at the header, which is in the first page of a message.
constexpr std::size_t kHeaderPart = 0;

// "up to 16 KB, up to 32 KB": what is copied now of an origin's messages, but for the header.
std::vector<std::string_view> copied_parts(const PayloadStream& stream) {
    std::vector<std::string_view> parts;
    for (std::size_t part = kHeaderPart + 1; part < stream.scores.size(); ++part) {
        if (stream.scores[part] > 0 && !part_name(part).empty())
            parts.push_back(part_name(part));
    }
    return parts;
}

// What keeps all of the process's reads from being lazy. Returns true if something does.
bool explain_process_state(const Facts& facts, const PayloadProcess& process,
                           std::vector<Finding>& findings) {
    const std::size_t before = findings.size();
    if (!facts.settings.lazy)
        findings.push_back({"off_by_sysctl",
                            "lazy mode is off: net.libra.lazy is 0, what is received is copied",
                            "sysctl net.libra.lazy=1"});
    if (process.locked)
        findings.push_back({"locked", "the process has locked memory: what it receives is copied",
                            "do not let it call mlock() or mlockall()"});
    return findings.size() > before;
}

// What keeps some of them, or has kept.
void explain_process_limits(const PayloadProcess& process, std::vector<Finding>& findings) {
    if (process.native)
        findings.push_back({"protection_changed",
                            "the protection of some of its payload memory was changed: into that "
                            "mapping it receives natively",
                            ""});
    const bool near = process.limit && static_cast<double>(process.charge) >
                                           kNearLimit * static_cast<double>(process.limit);
    if (near || process.at_limit)
        findings.push_back(
            {"process_limit",
             fmt::format("it keeps {} of at most {} (net.libra.max_process_bytes), which it has "
                         "met {} times: beyond it what is received is copied",
                         format_bytes(
                             static_cast<std::uint64_t>(std::max<std::int64_t>(process.charge, 0))),
                         format_bytes(process.limit), process.at_limit),
             "raise net.libra.max_process_bytes, or give the proxy fewer or smaller buffers"});
}

bool explain_stream(const PayloadStream& stream, std::vector<Finding>& findings) {
    const std::size_t before = findings.size();
    if (stream.pauses)
        findings.push_back(
            {"paused",
             fmt::format("backed off {} s ago: of this message, pages were looked at before they "
                         "were sent; copied up to byte {}, then tried again ({} pauses so far)",
                         stream.seconds, stream.copied_until, stream.pauses),
             ""});
    const auto parts = copied_parts(stream);
    if (!parts.empty())
        findings.push_back(
            {"backed_off",
             fmt::format("backed off for this origin: its messages were looked at, so these parts "
                         "are copied: {}",
                         fmt::join(parts, ", ")),
             "does the proxy compress, filter or encrypt? Then nothing is to be gained; if it "
             "reads headers only, larger buffers"});
    return findings.size() > before;
}

// Counters of the whole network namespace that say more than a stream does.
void explain_origins(const Facts& facts, std::vector<Finding>& findings) {
    const auto lazy = facts.stat("lazy_rx_bytes");
    const auto shared = facts.stat("fallback_lazy_shared_frag");
    if (shared && shared * facts.settings.min_anchor > lazy)
        findings.push_back({"shared_frags",
                            fmt::format("{} times in this network namespace bytes were copied "
                                        "that others may still write: an origin on this host "
                                        "uses sendfile()",
                                        shared),
                            "sendfile off in that origin, or an origin on another host"});
}

}  // namespace

Verdict explain_lazy(const Facts& facts, const PayloadProcess& process, const TcpSocket& connection,
                     std::vector<Finding>& findings) {
    findings.push_back({"lazy",
                        fmt::format("lazy mode: process {} has {} of payload memory and "
                                    "keeps {} in the kernel now",
                                    process.pid, format_bytes(process.mapped),
                                    format_bytes(static_cast<std::uint64_t>(
                                        std::max<std::int64_t>(process.charge, 0)))),
                        ""});
    if (explain_process_state(facts, process, findings))
        return Verdict::no;
    const std::size_t before = findings.size();
    explain_process_limits(process, findings);
    const PayloadStream* stream = process.stream(connection.local.port, connection.peer.port);
    if (!stream) {
        findings.push_back({"no_stream",
                            "nothing is known of what it receives here: no large read yet, or "
                            "another connection took its place in a small table",
                            "if that stays so: are the proxy's buffers large enough? See "
                            "LIBRA_MALLOC_MIN"});
        explain_origins(facts, findings);
        return Verdict::unknown;
    }
    const bool back = explain_stream(*stream, findings);
    if (stream->lazy && !back)
        findings.push_back({"lazy_pages",
                            fmt::format("{} pages of the message under way were left in the "
                                        "kernel, {} of them were looked at",
                                        stream->lazy, stream->touched),
                            ""});
    explain_origins(facts, findings);
    if (back)
        return stream->lazy ? Verdict::partly : Verdict::no;
    if (stream->lazy)
        return findings.size() > before + 1 ? Verdict::partly : Verdict::yes;
    return Verdict::unknown;
}

}  // namespace libra
