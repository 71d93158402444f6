// SPDX-License-Identifier: GPL-2.0-only
#include "payload_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "kernel_stats.h"
#include "sent_bytes.h"
#include "tcp_table.h"

namespace libra::service {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{250};
constexpr std::chrono::seconds kTimeToExecute{3};  // until then a process may still be systemd's
// With less than this, nothing is said about what part of it stayed in the kernel.
constexpr std::uint64_t kTraffic = 256U << 10;

// "IpExt: InNoRoutes InTruncatedPkts ..." and below it a line of numbers.
void read_octets(const std::filesystem::path& process, Counters& counters) {
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
                counters.octets = std::strtoull(number.c_str(), nullptr, 10);
            else if (name == "OutOctets")
                counters.octets_out = std::strtoull(number.c_str(), nullptr, 10);
        }
    }
}

// What the service's sockets send, as long as the kernel tells.
class Sockets {
  public:
    std::optional<std::uint64_t> look(const Host& host, const std::vector<pid_t>& pids) {
        if (lost_ || pids.empty())
            return std::nullopt;
        if (!diag_) {
            auto diag = TcpDiag::open(directory_of(host, pids.front()));
            if (!diag)
                return lose();
            diag_ = std::move(*diag);
        }
        std::set<std::uint64_t> inodes;
        for (const pid_t pid : pids)
            inodes.merge(socket_inodes(directory_of(host, pid)));
        const auto ended = diag_->ended();
        const auto open = diag_->sockets();
        if (!ended || !open)
            return lose();
        sent_.look(*ended, *open, inodes);
        return sent_.total();
    }

  private:
    static std::filesystem::path directory_of(const Host& host, pid_t pid) {
        return host.proc / fmt::format("{}", pid);
    }
    std::nullopt_t lose() {
        lost_ = true;
        return std::nullopt;
    }

    std::unique_ptr<TcpDiag> diag_;
    SentBytes sent_;
    bool lost_ = false;  // a gap cannot be filled
};

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

std::string percent(double share) {
    return fmt::format("{:.{}f} %", share * 100, share < 0.1 ? 1 : 0);
}

// "12 MB sent within 3.2 s, 87 % of it from there"
std::string sent_words(const Sighting& sighting) {
    return fmt::format("{} sent {}within {:.1f} s, {}{} of it from there", bytes(sighting.sent),
                       sighting.sent_by_service ? "" : "in its network namespace ",
                       sighting.seconds, sighting.sent_by_service ? "" : "at least ",
                       percent(sighting.share.value_or(0)));
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
    read_octets(process, counters);
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
    seen.sent_by_service = now.sent.has_value();
    seen.sent = now.sent ? *now.sent - before.sent.value_or(0)
                         : now.octets_out - std::min(before.octets_out, now.octets_out);
    for (const auto& [name, value] : now.values) {
        if ((name.starts_with("lazy_") || name.starts_with("fallback_")) && value > before[name] &&
            name != "lazy_pages")
            seen.moved[name] = value - before[name];
    }
    // The two are not read at the same moment.
    if (seen.sent > 0)
        seen.share = std::min(1.0, static_cast<double>(moved_by(seen, "lazy_tx_bytes")) /
                                       static_cast<double>(seen.sent));
    if (seen.processes == 0)
        seen.verdict = Verdict::not_running;
    else if (seen.with_library < seen.processes)
        seen.verdict = Verdict::not_loaded;
    else if (seen.with_payload == 0)
        seen.verdict = seen.octets >= kTraffic ? Verdict::no_memory : Verdict::idle;
    else if (seen.sent < kTraffic)
        seen.verdict = Verdict::idle;
    else
        seen.verdict = seen.share >= kEnoughShare ? Verdict::stays : Verdict::copied;
    return seen;
}

namespace {

// Both take their time, and traffic goes on: the counters are read last at first, and first from
// then on, so that they never cover more than what is known to be sent.
Result<Counters> look_at(const Host& host, pid_t pid, const std::vector<pid_t>& pids,
                         Sockets& sockets, bool first) {
    // The very first look may have to load modules: it is not the beginning.
    if (first)
        sockets.look(host, pids);
    const auto begun = first ? sockets.look(host, pids) : std::nullopt;
    auto counters = read_counters(host, pid);
    if (counters)
        counters->sent = first ? begun : sockets.look(host, pids);
    return counters;
}

}  // namespace

Result<Sighting> watch(const Host& host, const std::function<std::vector<pid_t>()>& list_processes,
                       const std::filesystem::path& library, std::chrono::seconds limit) {
    std::optional<Counters> before;
    Sockets sockets;
    const auto begin = Clock::now();
    for (;;) {
        Counters now;
        std::vector<Preloaded> seen;
        const auto pids = list_processes();
        for (const pid_t pid : pids) {
            const auto memory = look_at_memory(host, pid, library);
            if (!memory)
                continue;
            if (seen.empty()) {
                auto counters = look_at(host, pid, pids, sockets, !before);
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
        case Verdict::stays:
            return fmt::format(
                "payload stays in the kernel: {}; {} received were left there, "
                "{} copied; {}{}",
                sent_words(sighting), bytes(moved_by(sighting, "lazy_rx_bytes")),
                bytes(moved_by(sighting, "lazy_rx_copied_bytes")), has,
                sighting.others ? " (the counters of what stays are also of other "
                                  "processes in the same network namespace)"
                                : "");
        case Verdict::idle:
            return fmt::format(
                "no traffic to speak of yet: {} sent in {:.0f} s; the library is loaded, "
                "{}. Look again later: libractl stats",
                bytes(sighting.sent), sighting.seconds, has);
        case Verdict::copied:
            return fmt::format(
                "too little payload stays in the kernel: {}, where at least {} is wanted, although "
                "{}. {}",
                sent_words(sighting), percent(kEnoughShare), has,
                why.empty() ? "Buffers may be too small (LIBRA_MALLOC_MIN), or the proxy reads all "
                              "it receives, or sends what it did not receive"
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
            {"sent_bytes", sighting.sent},
            {"sent_by", sighting.sent_by_service ? "service" : "network namespace"},
            {"share", sighting.share ? Json(*sighting.share) : Json()},
            {"share_wanted", kEnoughShare},
            {"others_count_as_well", sighting.others},
            {"counters", sighting.moved}};
}

}  // namespace libra::service
