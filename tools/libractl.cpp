// SPDX-License-Identifier: GPL-2.0-only
// libractl: gives services payload memory, asks librad to attach and detach, and shows what it
// and the kernel know.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "command.h"
#include "completion.h"

namespace libra {
namespace {

int run(int argc, char** argv) {
    Session session;
    CLI::App app{"libractl: gives services payload memory, and controls librad"};
    app.set_version_flag("--version", LIBRA_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    auto* socket = app.add_option("--socket", session.socket, "librad's control socket")
                       ->capture_default_str();
    app.add_flag("--json", session.json,
                 "print JSON: the outcome, librad's answer as it is, or the error");
    std::vector<std::pair<CLI::App*, Run>> words;
    for (const Command& command : commands()) {
        auto* word = app.add_subcommand(command.name, command.summary);
        words.emplace_back(word, command.add(*word));
    }
    if (argc > 1 && argv[1] == std::string_view(kComplete)) {
        fmt::print("{}", complete(app, std::span(argv, static_cast<std::size_t>(argc)).subspan(2)));
        return kOk;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kOk : kUsage;
    }
    session.socket_named = !socket->empty();
    for (const auto& [word, run] : words) {
        if (word->parsed())
            return run(session);
    }
    return kUsage;
}

}  // namespace
}  // namespace libra

int main(int argc, char** argv) {
    try {
        return libra::run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "libractl: internal error: {}\n", error.what());
        return libra::kRefused;
    }
}
