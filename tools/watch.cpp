// SPDX-License-Identifier: GPL-2.0-only
#include "watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "quantity.h"

namespace libra {
namespace {

constexpr std::array<std::string_view, 8> kGauges = {
    "attached_sockets",   "anchors_live", "anchor_bytes_live", "anchor_charge_live",
    "anchor_charge_peak", "lazy_pages",   "payload_pages",     "payload_processes"};

std::string rate_text(const StatChange& change) {
    if (change.gauge)
        return "-";
    if (change.name.ends_with("_bytes"))
        return format_rate(change.rate);
    return change.rate == 0 ? "0" : fmt::format("{:.1f}", change.rate);
}

std::string total_text(const StatChange& change) {
    return change.name.find("bytes") != std::string::npos ||
                   change.name.find("charge") != std::string::npos
               ? format_bytes(change.total)
               : format_count(change.total);
}

}  // namespace

std::vector<StatChange> stat_changes(const KernelStats& before, const KernelStats& now,
                                     double seconds) {
    std::map<std::string_view, std::uint64_t> were;
    for (const auto& [name, value] : before)
        were.emplace(name, value);
    std::vector<StatChange> changes;
    for (const auto& [name, value] : now) {
        const auto was = were.find(name);
        const bool gauge = std::find(kGauges.begin(), kGauges.end(), name) != kGauges.end();
        const std::uint64_t base = was == were.end() || was->second > value ? 0 : was->second;
        const double rate = gauge || seconds <= 0 ? 0 : static_cast<double>(value - base) / seconds;
        changes.push_back({name, value, rate, gauge});
    }
    return changes;
}

std::string report_changes(const std::vector<StatChange>& changes, bool all) {
    std::string out = fmt::format("{:<28}{:>14}{:>16}  {}\n", "", "per second", "total", "");
    bool any = false;
    for (const StatChange& change : changes) {
        if (!all && !change.total)
            continue;
        any = true;
        out += fmt::format("{:<28}{:>14}{:>16}  {}\n", change.name, rate_text(change),
                           total_text(change), describe_stat(change.name));
    }
    return any ? out : "all counters are 0\n";
}

Json changes_json(const std::vector<StatChange>& changes, double seconds) {
    Json totals = Json::object();
    Json rates = Json::object();
    for (const StatChange& change : changes) {
        totals[change.name] = change.total;
        if (!change.gauge)
            rates[change.name] = change.rate;
    }
    return {{"ok", true}, {"seconds", seconds}, {"stats", totals}, {"per_second", rates}};
}

}  // namespace libra
