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
    std::string program;
    std::vector<std::string> command;  // with its arguments
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
    // A list would take words such as [a,b] apart; of what is left over, all is as it was.
    command.add_option("PROGRAM", options->program, "the program, behind --; its arguments follow")
        ->required();
    command.fallthrough(false);
    command.prefix_command();
    command.final_callback([options = options.get(), &command] {
        auto words = command.remaining();
        if (!words.empty() && words.front() == "--")  // ours; any other one is the program's
            words.erase(words.begin());
        options->command = {options->program};
        options->command.insert(options->command.end(), words.begin(), words.end());
    });
    return [options](const Session& session) { return run(session, *options); };
}

}  // namespace libra
