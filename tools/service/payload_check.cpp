// SPDX-License-Identifier: GPL-2.0-only
#include "payload_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "kernel_stats.h"

namespace libra::service {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{250};
constexpr std::chrono::seconds kTimeToExecute{3};  // until then a process may still be systemd's
// Less than this is not worth a word about why none of it stayed in the kernel.
constexpr std::uint64_t kTraffic = 256U << 10;

// "IpExt: InNoRoutes InTruncatedPkts ..." and below it a line of numbers.
std::uint64_t received_octets(const std::filesystem::path& process) {
    std::ifstream file(process / "net/netstat");
    std::string names;
    std::string numbers;
    while (std::getline(file, names) && std::getline(file, numbers)) {
        if (!names.starts_with("IpExt:"))
            continue;
        std::istringstream name_words(names);
        std::istringstream number_words(numbers);
        std::string name;
        std::string number;
        while (name_words >> name && number_words >> number) {
            if (name == "InOctets")
                return std::strtoull(number.c_str(), nullptr, 10);
        }
    }
    return 0;
}

std::uint64_t moved_by(const Sighting& sighting, const std::string& name) {
    const auto found = sighting.moved.find(name);
    return found == sighting.moved.end() ? 0 : found->second;
}

std::string bytes(std::uint64_t count) {
    constexpr double kKilo = 1024;
    if (count < 10 * 1024)
        return fmt::format("{} bytes", count);
    const double kilo = static_cast<double>(count) / kKilo;
    return kilo < 10 * kKilo ? fmt::format("{:.0f} KB", kilo)
                             : fmt::format("{:.0f} MB", kilo / kKilo);
}

std::string reasons(const Sighting& sighting) {
    std::string text;
    for (const auto& [name, value] : sighting.moved) {
        if (name.starts_with("fallback_"))
            text += fmt::format("{}{} {} ({})", text.empty() ? "" : "; ", name, value,
                                describe_stat(name));
    }
    return text;
}

}  // namespace

std::uint64_t Counters::operator[](const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? 0 : found->second;
}

Result<Counters> read_counters(const Host& host, pid_t pid) {
    const auto process = host.proc / fmt::format("{}", pid);
    const auto stats = read_kernel_stats((process / "net/libra_stat").c_str());
    if (!stats)
        return stats.error();
    Counters counters;
    counters.values.insert(stats->begin(), stats->end());
    counters.octets = received_octets(process);
    return counters;
}

Sighting judge(const std::vector<Preloaded>& processes, const Counters& before,
               const Counters& now) {
    Sighting seen;
    seen.processes = processes.size();
    for (const Preloaded& each : processes) {
        seen.with_library += each.library;
        seen.with_payload += each.payload;
    }
    seen.others = now["payload_processes"] > seen.with_payload;
    seen.octets = now.octets - std::min(before.octets, now.octets);
    for (const auto& [name, value] : now.values) {
        if ((name.starts_with("lazy_") || name.starts_with("fallback_")) && value > before[name] &&
            name != "lazy_pages")
            seen.moved[name] = value - before[name];
    }
    if (seen.processes == 0)
        seen.verdict = Verdict::not_running;
    else if (seen.with_library < seen.processes)
        seen.verdict = Verdict::not_loaded;
    else if (seen.with_payload == 0)
        seen.verdict = seen.octets >= kTraffic ? Verdict::no_memory : Verdict::idle;
    else if (moved_by(seen, "lazy_rx_bytes") > 0)
        seen.verdict = Verdict::stays;
    else
        seen.verdict = seen.octets >= kTraffic ? Verdict::copied : Verdict::idle;
    return seen;
}

Result<Sighting> watch(const Host& host, const std::function<std::vector<pid_t>()>& list_processes,
                       const std::filesystem::path& library, std::chrono::seconds limit) {
    std::optional<Counters> before;
    const auto begin = Clock::now();
    for (;;) {
        Counters now;
        std::vector<Preloaded> seen;
        for (const pid_t pid : list_processes()) {
            const auto memory = look_at_memory(host, pid, library);
            if (!memory)
                continue;
            if (seen.empty()) {
                auto counters = read_counters(host, pid);
                if (!counters)
                    continue;  // it has ended since
                now = std::move(*counters);
            }
            seen.push_back(*memory);
        }
        if (!before && !seen.empty())
            before = now;
        const auto passed = Clock::now() - begin;
        Sighting sighting = judge(seen, before.value_or(Counters()), now);
        sighting.seconds = std::chrono::duration<double>(passed).count();
        // Counters of others prove nothing.
        const bool proved = sighting.verdict == Verdict::stays && !sighting.others;
        const bool hopeless =
            passed >= kTimeToExecute &&
            (sighting.verdict == Verdict::not_loaded || sighting.verdict == Verdict::not_running);
        if (proved || hopeless || passed >= limit)
            return sighting;
        std::this_thread::sleep_for(kBetweenLooks);
    }
}

bool good(Verdict verdict) {
    return verdict == Verdict::stays || verdict == Verdict::idle;
}

std::string words_for(const Sighting& sighting, const std::string& unit) {
    const std::string has = fmt::format("{} of {} processes have payload memory",
                                        sighting.with_payload, sighting.processes);
    const std::string why = reasons(sighting);
    switch (sighting.verdict) {
        case Verdict::stays: {
            const auto left = moved_by(sighting, "lazy_rx_bytes");
            const auto copied = moved_by(sighting, "lazy_rx_copied_bytes");
            return fmt::format(
                "payload stays in the kernel: within {:.1f} s {} were left there, "
                "{} copied, {} sent from there; {}{}",
                sighting.seconds, bytes(left), bytes(copied),
                bytes(moved_by(sighting, "lazy_tx_bytes")), has,
                sighting.others ? " (these counters are also of other processes "
                                  "in the same network namespace)"
                                : "");
        }
        case Verdict::idle:
            return fmt::format(
                "no traffic yet: {} arrived in {:.0f} s; the library is loaded, "
                "{}. Look again later: libractl stats",
                bytes(sighting.octets), sighting.seconds, has);
        case Verdict::copied:
            return fmt::format(
                "no payload stays in the kernel: {} arrived in {:.0f} s, and none "
                "of it was left there, although {}. {}",
                bytes(sighting.octets), sighting.seconds, has,
                why.empty() ? "Buffers may be too small (LIBRA_MALLOC_MIN), or "
                              "the proxy reads all it receives"
                            : "Why: " + why);
        case Verdict::no_memory:
            return fmt::format(
                "no process has payload memory, though the library is loaded and "
                "{} arrived: its user may not open the device, or no buffer is "
                "large enough. LIBRA_MALLOC_VERBOSE=1 in the unit has it say why",
                bytes(sighting.octets));
        case Verdict::not_loaded:
            return fmt::format(
                "{} of {} processes are without the library: if {} was restarted, "
                "something takes LD_PRELOAD away from them (a wrapper, AppArmor, "
                "SELinux, file capabilities), or forbids them the file",
                sighting.processes - sighting.with_library, sighting.processes, unit);
        case Verdict::not_running:
            return fmt::format("{} has no process: nothing to be seen", unit);
    }
    return "";
}

Json to_json(const Sighting& sighting) {
    static constexpr std::array kNames{"stays",     "idle",       "copied",
                                       "no_memory", "not_loaded", "not_running"};
    return {{"verdict", kNames.at(static_cast<std::size_t>(sighting.verdict))},
            {"processes", sighting.processes},
            {"with_library", sighting.with_library},
            {"with_payload_memory", sighting.with_payload},
            {"seconds", sighting.seconds},
            {"received_octets", sighting.octets},
            {"others_count_as_well", sighting.others},
            {"counters", sighting.moved}};
}

}  // namespace libra::service
