// SPDX-License-Identifier: GPL-2.0-only
// Read from the kernel, so that it needs no daemon.
#include "checked.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "commands.h"

namespace libra {
namespace {

Result<Json> read_altered() {
    std::ifstream file(kAlteredFile);
    if (!file)
        return Error::from_errno(kAlteredFile).context("only root may see messages' headers");
    std::stringstream text;
    text << file.rdbuf();
    auto altered = parse_altered(text.str());
    if (!altered)
        return std::move(altered).error().context(kAlteredFile);
    return altered;
}

}  // namespace

Run add_checked(CLI::App&) {
    return [](const Session& session) -> int {
        const auto stats = read_kernel_stats();
        if (!stats)
            return fail(session, kUnreachable,
                        Error(stats.error()).context("is libra.ko loaded?"));
        auto altered = read_altered();
        if (!altered)
            return fail(session, kRefused, altered.error());
        std::string line = to_line(checked_answer(*stats, std::move(altered).value()));
        line.pop_back();  // the newline
        return show_answer(session, line, [](const Json& answer) {
            fmt::print("{}", report_checked(answer));
        });
    };
}

}  // namespace libra
