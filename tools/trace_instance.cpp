// SPDX-License-Identifier: GPL-2.0-only
#include "trace_instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <sstream>
#include <string_view>

#include "proc_fields.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

// libractl-PID-STARTED: a number that was used again is another process.
constexpr std::string_view kPrefix = "libractl-";
constexpr std::size_t kLineMax = 64UL << 10;
// For each processor; a burst that is longer loses its oldest.
constexpr const char* kBufferKb = "1024";

Status write_file(const fs::path& path, std::string_view text, int flags = O_WRONLY) {
    const UniqueFd file(open(path.c_str(), flags | O_CLOEXEC));
    if (!file)
        return Error::from_errno(path.string());
    if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return Error::from_errno(path.string());
    return Ok{};
}

// When a process began; nothing if there is none.
std::optional<std::string> started(const fs::path& proc, const std::string& pid) {
    const auto text = read_proc_file(proc / pid / "stat");
    const auto close = text ? text->rfind(')') : std::string::npos;
    if (close == std::string::npos)
        return std::nullopt;
    std::istringstream words(text->substr(close + 1));
    std::string word;
    constexpr int kStarted = 20;  // words behind the name
    for (int i = 0; i < kStarted; ++i)
        words >> word;
    return words ? std::optional(word) : std::nullopt;
}

// Whose an instance is, by its name.
bool is_stale(const std::string& name, const fs::path& proc) {
    if (!name.starts_with(kPrefix))
        return false;
    const std::string rest = name.substr(kPrefix.size());
    const auto dash = rest.find('-');
    if (dash == std::string::npos || rest.find_first_not_of("0123456789-") != std::string::npos)
        return false;
    const auto now = started(proc, rest.substr(0, dash));
    return !now || *now != rest.substr(dash + 1);
}

// Events that name no connection have none of these fields.
bool names_connection(std::string_view event) {
    return event != "reclaim" && event != "lazy_fill";
}

}  // namespace

std::string trace_connection_filter(std::uint16_t port, std::uint16_t peer_port) {
    if (!peer_port)
        return fmt::format("sport == {0} || dport == {0}", port);
    if (!port)
        return trace_connection_filter(peer_port, 0);
    return fmt::format("(sport == {0} && dport == {1}) || (sport == {1} && dport == {0})", port,
                       peer_port);
}

Result<fs::path> find_tracefs() {
    for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
        if (fs::exists(fs::path(path) / "instances"))
            return fs::path(path);
    }
    return Error("tracefs is not there: not root, or mount -t tracefs tracefs /sys/kernel/tracing",
                 ENOENT);
}

std::size_t remove_stale_instances(const fs::path& tracefs, const fs::path& proc) {
    std::size_t removed = 0;
    std::error_code error;
    for (fs::directory_iterator at(tracefs / "instances", error), end; !error && at != end;
         at.increment(error)) {
        if (is_stale(at->path().filename().string(), proc) && rmdir(at->path().c_str()) == 0)
            ++removed;
    }
    return removed;
}

Result<TraceInstance> TraceInstance::create(const fs::path& tracefs) {
    if (!fs::exists(tracefs / "events/libra"))
        return Error("the kernel has no tracepoints of Libra: is libra.ko loaded?", ENOENT);
    remove_stale_instances(tracefs);
    const std::string pid = std::to_string(getpid());
    const auto since = started("/proc", pid);
    if (!since)
        return Error("/proc is not there", ENOENT);
    const fs::path directory = tracefs / "instances" / fmt::format("{}{}-{}", kPrefix, pid, *since);
    if (mkdir(directory.c_str(), 0700))
        return Error::from_errno(directory.string());
    return TraceInstance(directory);
}

TraceInstance::TraceInstance(TraceInstance&& other) noexcept
    : directory_(std::exchange(other.directory_, {})),
      pipe_(std::move(other.pipe_)),
      partial_(std::move(other.partial_)) {}

TraceInstance::~TraceInstance() {
    if (directory_.empty())
        return;
    // It cannot go while it is read. Its events end with it; if it stays, the next run takes it.
    pipe_ = UniqueFd();
    rmdir(directory_.c_str());
}

Status TraceInstance::begin(const TraceFilter& filter) {
    auto done = write_file(directory_ / "buffer_size_kb", kBufferKb);
    if (!done)
        return done;
    if (!filter.pids.empty()) {
        done = write_file(directory_ / "options/event-fork", "1");
        for (const pid_t pid : filter.pids) {
            if (!done)
                return done;
            done = write_file(directory_ / "set_event_pid", std::to_string(pid) + "\n",
                              O_WRONLY | O_APPEND);
        }
        if (!done)
            return done;
    }
    pipe_ = UniqueFd(open((directory_ / "trace_pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!pipe_)
        return Error::from_errno((directory_ / "trace_pipe").string());
    for (const std::string& event : filter.events) {
        const fs::path directory = directory_ / "events/libra" / ("libra_" + event);
        if (!filter.connection.empty()) {
            if (!names_connection(event))
                continue;
            done = write_file(directory / "filter", filter.connection);
            if (!done)
                return done;
        }
        done = write_file(directory / "enable", "1");
        if (!done)
            return done;
    }
    return Ok{};
}

Result<std::vector<std::string>> TraceInstance::read_lines() {
    std::array<char, 16 * 1024> buffer{};
    const ssize_t got = read(pipe_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        return Error::from_errno("cannot read trace_pipe");
    std::vector<std::string> lines;
    if (got <= 0)
        return lines;
    partial_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines.push_back(partial_.substr(begin, end - begin));
    partial_.erase(0, begin);
    if (partial_.size() > kLineMax)
        partial_.clear();
    return lines;
}

}  // namespace libra
