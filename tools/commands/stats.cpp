// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "client.h"
#include "commands.h"
#include "interval.h"
#include "kernel_stats.h"
#include "report.h"
#include "watch.h"

namespace libra {
namespace {

// Lazy mode needs no daemon: where none is asked for by name and none runs, the counters are
// read as it would read them.
Result<std::string> stats_line(const Session& session) {
    auto client = Client::connect(session.socket);
    if (client)
        return client->ask(StatsRequest{});
    if (session.socket_named)
        return client.error();
    auto stats = read_kernel_stats();
    if (!stats)
        return std::move(stats).error().context("no librad runs, and is libra.ko loaded?");
    std::string line = to_line(stats_answer(*stats));
    line.pop_back();  // the newline
    return line;
}

struct Options {
    bool all = false;
    double seconds = 1;
    std::size_t count = 0;
};

// The counters of this network namespace, which librad could say no more of.
int watch(const Session& session, const Options& options) {
    using Clock = std::chrono::steady_clock;
    const auto signals = EndSignals::create();
    if (!signals)
        return fail(session, kUnreachable, signals.error());
    auto before = read_kernel_stats();
    if (!before)
        return fail(session, kUnreachable,
                    std::move(before).error().context("is libra.ko loaded?"));
    auto since = Clock::now();
    const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(options.seconds));
    for (std::size_t shown = 0; !options.count || shown < options.count; ++shown) {
        if (signals->wait(interval) == EndSignals::Woken::end)
            return kOk;
        auto now = read_kernel_stats();
        if (!now)
            return fail(session, kUnreachable, now.error());
        const auto at = Clock::now();
        const double seconds = std::chrono::duration<double>(at - since).count();
        const auto changes = stat_changes(*before, *now, seconds);
        if (session.json)
            fmt::print("{}", to_line(changes_json(changes, seconds)));
        else
            fmt::print("{}\n", report_changes(changes, options.all));
        if (!flush_output())
            return kOk;
        before = std::move(now);
        since = at;
    }
    return kOk;
}

}  // namespace

Run add_stats(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command.add_flag("--all", options->all, "all counters");
    auto* watched = command
                        .add_option("--watch", options->seconds,
                                    "rates and totals, again and again, each so many seconds")
                        ->expected(0, 1)
                        ->check(CLI::Range(0.1, 86400.0));
    command.add_option("--count", options->count, "end after so many intervals")->needs(watched);
    return [options, watched](const Session& session) -> int {
        if (!watched->empty())
            return watch(session, *options);
        const auto line = stats_line(session);
        if (!line)
            return fail(session, kUnreachable, line.error());
        return show_answer(session, *line, [options](const Json& answer) {
            fmt::print("{}", report_stats(answer, options->all));
        });
    };
}

}  // namespace libra
