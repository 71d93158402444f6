// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "report.h"

namespace libra {
namespace {

enum class Verb { check, diff, apply };

int run(const Session& session, Verb verb, const std::string& file) {
    const auto config = read_config(file);
    if (!config)
        return fail(session, kRefused, config.error());
    if (verb == Verb::check) {
        const Json answer = {{"ok", true}, {"policies", config->policies.size()}};
        return show_answer(session, answer.dump(), [&](const Json&) {
            fmt::print("{} is right: {} policies\n", file, config->policies.size());
        });
    }
    return ask_librad(session, ApplyRequest{config->policies, verb == Verb::diff},
                      [](const Json& answer) { fmt::print("{}", report_changes(answer)); });
}

}  // namespace

Run add_config(CLI::App& command) {
    struct Options {
        Verb verb = Verb::check;
        std::string file = kDefaultConfig;
    };
    const auto options = std::make_shared<Options>();
    command.require_subcommand(1);
    const auto add = [&](const char* name, const char* summary, Verb verb) {
        auto* word = command.add_subcommand(name, summary);
        word->add_option("FILE", options->file, "configuration file")->capture_default_str();
        word->final_callback([options = options.get(), verb] { options->verb = verb; });
    };
    add("check", "is it right? Needs no librad", Verb::check);
    add("diff", "what would it change?", Verb::diff);
    add("apply", "its policies in place of those of the last configuration", Verb::apply);
    return [options](const Session& session) { return run(session, options->verb, options->file); };
}

}  // namespace libra
