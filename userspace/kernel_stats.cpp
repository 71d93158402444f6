// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_stats.h"

#include <fmt/format.h>
#include <linux/libra.h>

#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

namespace libra {
namespace {

struct Description {
    std::string_view name;
    std::string_view text;
};

constexpr std::array kDescriptions = {
    Description{"attached_sockets", "sockets attached now"},
    Description{"anchors_live", "anchors held now"},
    Description{"anchor_bytes_live", "payload bytes in anchors now"},
    Description{"anchor_charge_live", "memory charged for anchors now, in bytes"},
    Description{"anchor_charge_peak", "the most that was ever charged for anchors, in bytes"},
    Description{"lazy_pages", "pages that stand for bytes nobody has looked at, now"},
    Description{"payload_pages", "pages of payload memory now"},
    Description{"payload_processes", "processes with payload memory now"},
    Description{"attach", "sockets attached"},
    Description{"attach_refused", "attach requests refused"},
    Description{"rx_payload_bytes", "payload bytes received on attached sockets"},
    Description{"rx_anchored_bytes", "of these, kept in the kernel"},
    Description{"rx_copied_bytes", "bytes copied to the application for them, tokens included"},
    Description{"tx_payload_bytes", "payload bytes sent on attached sockets"},
    Description{"tx_redeemed_bytes", "of these, sent from anchors"},
    Description{"tx_copied_bytes", "bytes copied from the application for them, tokens included"},
    Description{"anchors_minted", "anchors made"},
    Description{"anchors_redeemed", "anchors whose token was met"},
    Description{"rx_tls_streams", "connections of which kernel TLS decrypts what is read"},
    Description{"tx_tls_streams", "connections of which kernel TLS encrypts what is searched"},
    Description{"vpis_made_up", "bytes sent as they are that somebody made look like a token"},
    Description{"anchors_expired", "anchors dropped at their age limit"},
    Description{"anchors_reclaimed", "anchors dropped with their message, domain or process"},
    Description{"lazy_rx_bytes", "bytes read into payload memory and left in the kernel"},
    Description{"lazy_rx_copied_bytes", "bytes that such reads copied"},
    Description{"lazy_tx_bytes", "bytes sent from there without a copy"},
    Description{"lazy_tx_copied_bytes", "bytes that such sends copied"},
    Description{"lazy_fills_user", "pages filled because the application looked"},
    Description{"lazy_fills_kernel", "pages filled because the kernel looked"},
    Description{"lazy_freed_pages", "pages of freed blocks that were given back"},
    Description{"lazy_compacted_pages",
                "pages that were filled because they kept much more in memory"},
    Description{"lazy_looks", "looks for pages of these two kinds"},
    Description{"lazy_unmaps", "pages unmapped because bytes were received into them"},
    Description{"fail_stops", "connections aborted because a copy came too late"},
    Description{"rx_dry_run_bytes", "payload bytes received in mode dry-run"},
    Description{"rx_anchorable_bytes", "of these, would have been kept in the kernel"},
    Description{"checked_messages", "messages that were copied, and looked for on their way out"},
    Description{"checked_altered", "of these, altered: something else was sent instead"},
    Description{"checked_unsent", "of these, not sent, or not to their end"},
    Description{"checked_skipped", "messages not checked: too many at once, or no memory"},
    Description{"parser_calls", "questions put to parsers"},
    Description{"parser_bad_answers", "parser answers out of range, taken as PASS"},
};

constexpr std::string_view kFallback = "fallback_";
constexpr std::string_view kFailStop = "fail_stop_";

std::string reason(std::string_view name, std::string_view prefix) {
    std::string text(name.substr(prefix.size()));
    for (char& c : text) {
        if (c == '_')
            c = ' ';
    }
    return text;
}

}  // namespace

Result<KernelStats> parse_kernel_stats(std::string_view text) {
    KernelStats stats;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.empty())
            continue;
        const auto name = line.substr(0, line.find_first_of(" \t"));
        const auto digits = line.find_first_not_of(" \t", name.size());
        std::uint64_t value = 0;
        const char* end = line.data() + line.size();
        if (name.empty() || digits == std::string_view::npos)
            return Error(fmt::format("line '{}' is not 'name value'", line), EPROTO);
        const auto parsed = std::from_chars(line.data() + digits, end, value);
        if (parsed.ec != std::errc() || parsed.ptr != end)
            return Error(fmt::format("line '{}' is not 'name value'", line), EPROTO);
        stats.emplace_back(name, value);
    }
    return stats;
}

Result<KernelStats> read_kernel_stats(const char* path) {
    std::ifstream file(path);
    if (!file)
        return Error::from_errno(path);
    std::stringstream text;
    text << file.rdbuf();
    auto stats = parse_kernel_stats(text.str());
    if (!stats)
        return std::move(stats).error().context(path);
    return stats;
}

std::string describe_stat(std::string_view name) {
    for (const auto& known : kDescriptions) {
        if (known.name == name)
            return std::string(known.text);
    }
    if (name.starts_with(kFallback))
        return "copied natively: " + reason(name, kFallback);
    if (name.starts_with(kFailStop))
        return "connections aborted: " + reason(name, kFailStop);
    return reason(name, "");
}

std::string describe_reason(std::string_view name) {
    static constexpr std::pair<std::string_view, const char*> kReasons[] = {
#define X(e, name, text) {name, text},
        LIBRA_REASON_LIST(X)
#undef X
    };
    if (name.empty() || name == kReasons[LIBRA_REASON_UNSAID].first)
        return "";
    for (const auto& [known, text] : kReasons) {
        if (known == name)
            return text;
    }
    return std::string(name);
}

}  // namespace libra
