// SPDX-License-Identifier: GPL-2.0-only
#include "top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "quantity.h"

namespace libra {
namespace {

std::uint64_t kept_by(const Facts& facts, const Process& process) {
    std::uint64_t kept = 0;
    for (const KernelSocket& socket : facts.attached) {
        if (process.sockets.contains(socket.inode))
            kept += socket.rx.kept;
    }
    return kept;
}

double per_second(std::uint64_t before, std::uint64_t now, double seconds) {
    return now <= before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

double cpu_of(const Usage& before, const Usage& now, pid_t pid, double seconds) {
    const auto was = before.cpu.find(pid);
    const auto is = now.cpu.find(pid);
    if (was == before.cpu.end() || is == now.cpu.end() || seconds <= 0)
        return 0;
    return std::max(0.0, 100.0 * (is->second - was->second) / seconds);
}

std::vector<TopService> services_of(const Moment& before, const Moment& now, double seconds) {
    const auto wanted = proxies_of(now.facts);
    std::map<std::string, TopService> services;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> kept;
    for (const Process& process : now.facts.processes) {
        if (!std::binary_search(wanted.begin(), wanted.end(), process.pid))
            continue;
        TopService& service = services[process.service()];
        service.name = process.service();
        ++service.processes;
        service.cpu_percent += cpu_of(before.usage, now.usage, process.pid, seconds);
        if (const auto* payload = now.facts.payload_of(process.pid)) {
            service.payload += payload->mapped;
            service.held += payload->charge;
        }
        for (const TcpSocket& connection : now.facts.connections)
            service.connections += process.sockets.contains(connection.inode);
        for (const KernelSocket& socket : now.facts.attached) {
            if (!process.sockets.contains(socket.inode) || socket.stranger)
                continue;
            ++service.attached;
            service.held += socket.charge;
        }
        kept[service.name].second += kept_by(now.facts, process);
    }
    for (const Process& process : before.facts.processes)
        kept[process.service()].first += kept_by(before.facts, process);
    std::vector<TopService> sorted;
    for (auto& [name, service] : services) {
        // Of connections that are there at both moments; others took theirs with them.
        service.kept_rate = per_second(kept[name].first, kept[name].second, seconds);
        sorted.push_back(std::move(service));
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const TopService& a, const TopService& b) {
        return a.cpu_percent > b.cpu_percent;
    });
    return sorted;
}

double rate_of(const std::vector<StatChange>& changes, std::string_view name) {
    const auto found = std::find_if(changes.begin(), changes.end(),
                                    [&](const StatChange& change) { return change.name == name; });
    return found == changes.end() ? 0 : found->rate;
}

std::string cut(std::string text, std::size_t width) {
    if (width && text.size() > width)
        text.resize(width);
    return text;
}

// "fallback_lazy_read" as "lazy read".
std::string short_name(const std::string& name) {
    std::string text = name.substr(name.find('_') + 1);
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

}  // namespace

TopView top_view(const Moment& before, const Moment& now) {
    TopView view;
    view.seconds = now.seconds - before.seconds;
    const auto changes = stat_changes(before.facts.stats, now.facts.stats, view.seconds);
    view.kept_rate = rate_of(changes, "rx_anchored_bytes") + rate_of(changes, "lazy_rx_bytes");
    view.sent_rate = rate_of(changes, "tx_redeemed_bytes") + rate_of(changes, "lazy_tx_bytes");
    view.copied_rate =
        rate_of(changes, "rx_copied_bytes") + rate_of(changes, "lazy_rx_copied_bytes");
    view.fills_user = rate_of(changes, "lazy_fills_user");
    view.fills_kernel = rate_of(changes, "lazy_fills_kernel");
    view.fail_stops = now.facts.stat("fail_stops");
    for (const StatChange& change : changes) {
        if (change.name.starts_with("fallback_") && change.rate > 0)
            view.fallbacks.push_back(change);
    }
    std::stable_sort(view.fallbacks.begin(), view.fallbacks.end(),
                     [](const StatChange& a, const StatChange& b) { return a.rate > b.rate; });
    view.services = services_of(before, now, view.seconds);
    Cost cost;
    cost.add(before.usage, now.usage);
    view.cpu_per_gb = cost.cpu_per_gb();
    return view;
}

std::string sample_text(const std::optional<NativeSample>& sample) {
    if (!sample)
        return "CPU saved: not known, there is no native sample (libractl top --sample 10)";
    const auto [least, most] = std::minmax(sample->first, sample->second);
    const bool shows = sample->without < least || sample->without > most;
    const double saved = 100.0 * (1 - sample->with / sample->without);
    return fmt::format(
        "CPU saved: {} ({:.3g} and {:.3g} s/GB, natively {:.3g} s/GB, {:.0f} s each)",
        shows ? fmt::format("{:.0f} %", saved) : "nothing that shows", sample->first,
        sample->second, sample->without, sample->seconds);
}

std::string render_top(const TopView& view, const std::optional<NativeSample>& sample,
                       std::size_t width, std::size_t height) {
    std::vector<std::string> lines;
    lines.push_back(fmt::format("kept in the kernel {}, sent from there {}, copied {}",
                                format_rate(view.kept_rate), format_rate(view.sent_rate),
                                format_rate(view.copied_rate)));
    lines.push_back(
        fmt::format("fills {:.0f}/s by applications, {:.0f}/s by the kernel; aborted "
                    "connections {}",
                    view.fills_user, view.fills_kernel, view.fail_stops));
    std::vector<std::string> reasons;
    for (const StatChange& change : view.fallbacks)
        reasons.push_back(fmt::format("{} {:.0f}/s", short_name(change.name), change.rate));
    lines.push_back(reasons.empty() ? "copied natively: nothing was"
                                    : fmt::format("copied natively: {}", fmt::join(reasons, ", ")));
    lines.push_back(sample_text(sample));
    lines.emplace_back();
    lines.push_back(fmt::format("{:<24}{:>6}{:>7}{:>9}{:>7}{:>13}{:>7}{:>7}", "SERVICE", "PROCS",
                                "CONNS", "ATTACHED", "CPU%", "TOKEN KEPT", "MEMORY", "HELD"));
    for (const TopService& service : view.services)
        lines.push_back(fmt::format(
            "{:<24}{:>6}{:>7}{:>9}{:>7.1f}{:>13}{:>7}{:>7}", cut(service.name, 23),
            service.processes, service.connections, service.attached, service.cpu_percent,
            format_rate(service.kept_rate), format_short(service.payload),
            format_short(static_cast<std::uint64_t>(std::max<std::int64_t>(service.held, 0)))));
    if (view.services.empty())
        lines.emplace_back("no process has payload memory, or a connection that is attached");
    if (height && lines.size() > height)
        lines.resize(height);
    std::string out;
    for (const std::string& line : lines)
        out += cut(line, width) + "\n";
    return out;
}

Json top_json(const TopView& view, const std::optional<NativeSample>& sample) {
    Json json = {{"ok", true},
                 {"seconds", view.seconds},
                 {"kept_bytes_per_second", view.kept_rate},
                 {"sent_bytes_per_second", view.sent_rate},
                 {"copied_bytes_per_second", view.copied_rate},
                 {"fills_user_per_second", view.fills_user},
                 {"fills_kernel_per_second", view.fills_kernel},
                 {"fail_stops", view.fail_stops},
                 {"fallbacks_per_second", Json::object()},
                 {"cpu_seconds_per_gb", view.cpu_per_gb ? Json(*view.cpu_per_gb) : Json()},
                 {"native_sample", Json()},
                 {"services", Json::array()}};
    for (const StatChange& change : view.fallbacks)
        json["fallbacks_per_second"][change.name] = change.rate;
    if (sample)
        json["native_sample"] = {{"cpu_seconds_per_gb", sample->with},
                                 {"native_cpu_seconds_per_gb", sample->without},
                                 {"halves", {sample->first, sample->second}},
                                 {"seconds", sample->seconds}};
    for (const TopService& service : view.services)
        json["services"].push_back({{"name", service.name},
                                    {"processes", service.processes},
                                    {"connections", service.connections},
                                    {"attached", service.attached},
                                    {"cpu_percent", service.cpu_percent},
                                    {"token_kept_bytes_per_second", service.kept_rate},
                                    {"payload_memory_bytes", service.payload},
                                    {"held_bytes", service.held}});
    return json;
}

}  // namespace libra
