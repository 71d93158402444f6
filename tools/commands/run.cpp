// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "commands.h"
#include "service/host.h"
#include "service/launch.h"
#include "service_options.h"

namespace libra {
namespace {

struct Options {
    std::string library;
    std::size_t min_block = 0;
    bool verbose = false;
    bool dry_run = false;
    std::vector<std::string> command;
    std::vector<CLI::Option*> all;
};

int show_launch(const Session& session, const service::Launch& launch) {
    if (session.json) {
        Json variables = Json::object();
        for (const auto& [name, value] : launch.environment)
            variables[name] = value;
        fmt::print("{}\n", Json{{"ok", true},
                                {"program", launch.program.string()},
                                {"environment", std::move(variables)}}
                               .dump());
        return kOk;
    }
    for (const auto& [name, value] : launch.environment)
        fmt::print("{}={}\n", name, value);
    fmt::print("{}\n", launch.program.string());
    return kOk;
}

int run(const Session& session, const Options& options) {
    service::Wishes wishes{.library = options.library, .min_block = std::nullopt};
    if (options.min_block)
        wishes.min_block = options.min_block;
    const auto launch =
        service::plan_launch(service::Host{}, wishes, options.verbose, options.command);
    if (!launch)
        return fail(session, kRefused, launch.error());
    if (options.dry_run)
        return show_launch(session, *launch);
    return fail(session, kRefused, service::execute(*launch, options.command));
}

}  // namespace

Run add_run(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    add_preload_options(command, options->library, options->min_block, options->all);
    command.add_flag("--verbose", options->verbose,
                     "have the library say once whether it has payload memory");
    command.add_flag("--dry-run,--print", options->dry_run, "show what would be run");
    // Its arguments are nobody's to interpret, not even those that look like ours.
    command.fallthrough(false);
    command.prefix_command();
    command.footer("behind --: the program and its arguments");
    command.final_callback([options = options.get(), &command] {
        options->command = command.remaining();
        if (options->command.empty())
            throw CLI::RequiredError("a program, behind --,");
    });
    return [options](const Session& session) { return run(session, *options); };
}

}  // namespace libra
