// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "explain.h"
#include "interval.h"
#include "trace_event.h"
#include "trace_instance.h"

namespace libra {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::string connection;
    std::vector<std::string> services;
    std::vector<std::string> events;
    double seconds = 0;
    std::size_t count = 0;
};

// The threads of what was named. Those that begin later are followed as children.
Result<std::vector<pid_t>> threads_of(const std::vector<std::string>& services) {
    std::vector<pid_t> threads;
    const auto processes = read_processes("/proc", Depth::sockets);
    for (const std::string& text : services) {
        const std::size_t before = threads.size();
        for (const pid_t pid : ServiceName(text).pids(processes)) {
            const auto tasks = std::filesystem::path("/proc") / std::to_string(pid) / "task";
            std::error_code error;
            for (const auto& task : std::filesystem::directory_iterator(tasks, error))
                threads.push_back(std::stoi(task.path().filename().string()));
        }
        if (threads.size() == before)
            return Error(fmt::format("no process is of '{}'", text), ENOENT);
    }
    return threads;
}

Result<TraceFilter> filter_of(const Options& options) {
    TraceFilter filter;
    filter.events = options.events.empty() ? trace_event_names() : options.events;
    if (!options.connection.empty()) {
        const auto name = ConnectionName::parse(options.connection);
        if (!name)
            return name.error();
        filter.connection = trace_connection_filter(name->port(), name->peer_port());
    }
    auto threads = threads_of(options.services);
    if (!threads)
        return threads.error();
    filter.pids = std::move(*threads);
    return filter;
}

void print(const TraceEvent& event, bool json) {
    if (json)
        fmt::print("{}", to_line(event_json(event)));
    else
        fmt::print("{:.6f} {} ({}) {}\n", event.seconds, event.task, event.pid,
                   describe_event(event));
}

int follow(const Session& session, const Options& options, TraceInstance& instance,
           const EndSignals& signals) {
    const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
    std::size_t shown = 0;
    for (;;) {
        auto wait = std::chrono::milliseconds(1000);
        if (options.seconds > 0) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
            if (left.count() <= 0)
                return kOk;
            wait = std::min(wait, left);
        }
        if (signals.wait(wait, instance.fd()) == EndSignals::Woken::end)
            return kOk;
        const auto lines = instance.read_lines();
        if (!lines)
            return fail(session, kUnreachable, lines.error());
        for (const std::string& line : *lines) {
            auto event = parse_trace_line(line);
            if (!event)
                continue;
            name_task(*event);
            print(*event, session.json);
            if (++shown == options.count)
                return kOk;
        }
        if (!flush_output())
            return kOk;
    }
}

}  // namespace

Run add_trace(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command.add_option("--connection", options->connection,
                       "only this one: LOCAL-PEER, ADDR:PORT or :PORT; told by its ports");
    command
        .add_option("--service", options->services,
                    "only what these do: a unit, a cgroup or a pid; repeatable")
        ->allow_extra_args(false);
    command.add_option("--event", options->events, "only these; repeatable")
        ->allow_extra_args(false)
        ->check(CLI::IsMember(trace_event_names()));
    command.add_option("--seconds", options->seconds, "end after so long")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--count", options->count, "end after so many events");
    return [options](const Session& session) -> int {
        const auto filter = filter_of(*options);
        if (!filter)
            return fail(session, filter.error().code() == ENOENT ? kRefused : kUsage,
                        filter.error());
        // Before there is anything that they could leave behind.
        const auto signals = EndSignals::create();
        if (!signals)
            return fail(session, kUnreachable, signals.error());
        const auto tracefs = find_tracefs();
        if (!tracefs)
            return fail(session, kUnreachable, tracefs.error());
        auto instance = TraceInstance::create(*tracefs);
        if (!instance)
            return fail(session, kUnreachable, instance.error());
        const auto begun = instance->begin(*filter);
        if (!begun)
            return fail(session, kUnreachable, begun.error());
        return follow(session, *options, *instance, *signals);
    };
}

}  // namespace libra
