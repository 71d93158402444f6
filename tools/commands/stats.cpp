// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <memory>

#include "client.h"
#include "commands.h"
#include "kernel_stats.h"
#include "report.h"

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

}  // namespace

Run add_stats(CLI::App& command) {
    const auto all = std::make_shared<bool>(false);
    command.add_flag("--all", *all, "all counters");
    return [all](const Session& session) -> int {
        const auto line = stats_line(session);
        if (!line)
            return fail(session, kUnreachable, line.error());
        return show_answer(session, *line, [all](const Json& answer) {
            fmt::print("{}", report_stats(answer, *all));
        });
    };
}

}  // namespace libra
