// SPDX-License-Identifier: GPL-2.0-only
#include "native_sample.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <ctime>
#include <set>
#include <sstream>

#include "proc_fields.h"

namespace libra {
namespace {

// Less than this is noise.
constexpr std::uint64_t kLeastBytes = 1UL << 20;
constexpr double kGigabyte = 1e9;

struct Setting {
    UniqueFd file;
    std::string value;
};

Result<Setting> open_setting(const std::filesystem::path& path) {
    auto text = read_proc_file(path);
    if (!text)
        return text.error();
    Setting setting;
    setting.value = std::move(*text);
    setting.file = UniqueFd(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!setting.file)
        return Error::from_errno(path.string());
    return setting;
}

bool put(const Setting& setting, std::string_view value) {
    return pwrite(setting.file.get(), value.data(), value.size(), 0) ==
           static_cast<ssize_t>(value.size());
}

bool is_zero(const Setting& setting) {
    char value = 0;
    return pread(setting.file.get(), &value, 1, 0) == 1 && value == '0';
}

// In the child, which has nothing else to do. What somebody else changed meanwhile stays.
[[noreturn]] void guard(int parents_end, const std::vector<Setting>& settings) {
    char nothing = 0;
    while (read(parents_end, &nothing, 1) < 0 && errno == EINTR) {
    }
    bool restored = true;
    for (const Setting& setting : settings) {
        if (is_zero(setting))
            restored = put(setting, setting.value) && restored;
    }
    _exit(restored ? 0 : 1);
}

void detach_from_terminal() {
    setsid();
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
        std::signal(number, SIG_IGN);
    // What reads our output waits for all who could write to it.
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        dup2(null.get(), fd);
}

// Of all its threads, those that ended too. In nanoseconds on every kernel: schedstat is not
// always there, or always 0, and a tick is as long as many requests.
std::optional<double> cpu_seconds(pid_t pid) {
    clockid_t clock = 0;
    timespec used{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return std::nullopt;
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

std::vector<pid_t> proxies_of(const Facts& facts) {
    std::set<pid_t> pids;
    std::set<std::uint64_t> attached;
    for (const KernelSocket& socket : facts.attached) {
        if (!socket.stranger)
            attached.insert(socket.inode);
    }
    for (const Process& process : facts.processes) {
        const bool has = facts.payload_of(process.pid) ||
                         std::any_of(process.sockets.begin(), process.sockets.end(),
                                     [&](std::uint64_t inode) { return attached.contains(inode); });
        if (has)
            pids.insert(process.pid);
    }
    return {pids.begin(), pids.end()};
}

std::optional<std::uint64_t> parse_in_octets(std::string_view netstat) {
    std::istringstream lines{std::string(netstat)};
    for (std::string names, values; std::getline(lines, names) && std::getline(lines, values);) {
        std::istringstream name_words(names);
        std::istringstream value_words(values);
        std::string name;
        std::string value;
        if (!names.starts_with("IpExt:"))
            continue;
        while (name_words >> name && value_words >> value) {
            std::uint64_t octets = 0;
            if (name == "InOctets" &&
                std::from_chars(value.data(), value.data() + value.size(), octets).ec ==
                    std::errc())
                return octets;
        }
    }
    return std::nullopt;
}

Result<Usage> read_usage(const std::vector<pid_t>& pids) {
    Usage usage;
    for (const pid_t pid : pids) {
        if (const auto seconds = cpu_seconds(pid))
            usage.cpu[pid] = *seconds;
    }
    const auto netstat = read_proc_file("/proc/self/net/netstat");
    if (!netstat)
        return netstat.error();
    const auto octets = parse_in_octets(*netstat);
    if (!octets)
        return Error("/proc/net/netstat has no InOctets", EPROTO);
    usage.bytes = *octets;
    return usage;
}

void Cost::add(const Usage& before, const Usage& now) {
    for (const auto& [pid, seconds] : now.cpu) {
        // What somebody used who was not looked at before may be of any time.
        const auto was = before.cpu.find(pid);
        // Another process may have got its number.
        if (was != before.cpu.end())
            cpu_seconds += std::max(0.0, seconds - was->second);
    }
    bytes += now.bytes - std::min(before.bytes, now.bytes);
}

std::optional<double> Cost::cpu_per_gb() const {
    if (bytes < kLeastBytes || cpu_seconds <= 0)
        return std::nullopt;
    return cpu_seconds / (static_cast<double>(bytes) / kGigabyte);
}

Result<SwitchedOff> SwitchedOff::begin(const std::vector<std::filesystem::path>& sysctls) {
    std::vector<Setting> settings;
    for (const auto& path : sysctls) {
        auto setting = open_setting(path);
        if (!setting)
            return setting.error();
        // What is off is not ours to switch on.
        if (!is_zero(*setting))
            settings.push_back(std::move(*setting));
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return Error::from_errno("cannot make a pipe");
    UniqueFd theirs(ends[0]);
    UniqueFd ours(ends[1]);
    const pid_t guardian = fork();
    if (guardian < 0)
        return Error::from_errno("cannot begin a process");
    if (guardian == 0) {
        ours = UniqueFd();
        detach_from_terminal();
        guard(theirs.get(), settings);
    }
    SwitchedOff off(std::move(ours), guardian);
    // Behind the child, which sets back whatever comes after it.
    for (const Setting& setting : settings) {
        if (!put(setting, "0"))
            return Error::from_errno("cannot set a sysctl");
    }
    return off;
}

SwitchedOff::~SwitchedOff() {
    if (!alive_)
        return;
    alive_ = UniqueFd();
    waitpid(guardian_, nullptr, 0);
}

}  // namespace libra
