// SPDX-License-Identifier: GPL-2.0-only
#include "service_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "client.h"
#include "service/explain.h"
#include "service/steps.h"
#include "service/target.h"
#include "service/unit_name.h"

namespace libra {
namespace {

using service::Kind;

constexpr std::size_t kLowestMin = 4096;  // as libra-malloc(7) has them
constexpr std::size_t kHighestMin = 1U << 30;
constexpr unsigned kLongestWait = 3600;

service::Choices choices_of(const ServiceOptions& options) {
    service::Choices choices;
    if (!options.library.empty())
        choices.wishes.library = options.library;
    if (options.min_block)
        choices.wishes.min_block = options.min_block;
    choices.runtime = options.runtime;
    choices.dry_run = options.dry_run;
    choices.restart = options.restart      ? service::Restart::yes
                      : options.no_restart ? service::Restart::no
                                           : service::Restart::ask;
    choices.wait = std::chrono::seconds(options.wait);
    return choices;
}

// Without a person at the other end, the answer is no.
bool ask_person(const std::string& question) {
    if (!isatty(STDIN_FILENO))
        return false;
    fmt::print("{} [y/N] ", question);
    std::fflush(stdout);
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

service::Dialogue dialogue_of(const Session& session) {
    if (session.json)
        return {.say = [](const std::string&) {},
                .agree = [](const std::string&) { return false; }};
    return {.say =
                [](const std::string& text) {
                    fmt::print("{}\n", text);
                    std::fflush(stdout);
                },
            .agree = ask_person};
}

// None where no librad runs: lazy mode needs none.
std::optional<Json> policies_of(const Session& session) {
    auto client = Client::connect(session.socket);
    if (!client)
        return std::nullopt;
    const auto line = client->ask(StatusRequest{});
    if (!line)
        return std::nullopt;
    auto answer = parse_answer(*line);
    return answer ? std::optional(std::move(*answer)) : std::nullopt;
}

int show_explanation(const Session& session, const service::Explanation& explanation) {
    if (session.json) {
        fmt::print("{}\n", explanation.json.dump());
    } else {
        fmt::print(stderr, "libractl: {}:\n", explanation.why);
        for (const std::string& line : explanation.lines)
            fmt::print("{}\n", line);
    }
    return kRefused;
}

int show_outcome(const Session& session, const Result<service::Outcome>& outcome) {
    if (!outcome)
        return fail(session, kRefused, outcome.error());
    if (session.json)
        // What a unit has in it is in any encoding.
        fmt::print("{}\n", outcome->json.dump(-1, ' ', false, Json::error_handler_t::replace));
    return outcome->proved ? kOk : kUnproved;
}

// What is done with a service, and said of what is none.
struct Step {
    Result<service::Outcome> (*with_service)(const service::Context&, const std::string&,
                                             const service::Choices&);
    Result<service::Explanation> (*explain)(const service::Host&, const service::Target&,
                                            const service::Wishes&);
    service::Explanation (*explain_user_service)(const std::string&, const service::Wishes&);
};

int with_target(const Session& session, const ServiceOptions& options, const Step& step) {
    const service::Host host;
    const service::Systemctl systemd;
    const auto choices = choices_of(options);
    if (options.user) {
        const auto name = service::service_name(options.target);
        if (!name)
            return fail(session, kRefused, name.error());
        return show_explanation(session, step.explain_user_service(*name, choices.wishes));
    }
    const auto target = service::resolve(host, systemd, options.target);
    if (!target)
        return fail(session, kRefused, target.error());
    if (target->kind != Kind::service) {
        const auto explanation = step.explain(host, *target, choices.wishes);
        return explanation ? show_explanation(session, *explanation)
                           : fail(session, kRefused, explanation.error());
    }
    const auto dialogue = dialogue_of(session);
    const service::Context context{
        .host = host, .systemd = systemd, .dialogue = dialogue, .policies = policies_of(session)};
    return show_outcome(session, step.with_service(context, target->name, choices));
}

}  // namespace

void add_preload_options(CLI::App& command, std::string& library, std::size_t& min_block,
                         std::vector<CLI::Option*>& all) {
    library = service::kLibrary;
    all.push_back(command.add_option("--library", library, "the allocator")->capture_default_str());
    all.push_back(command
                      .add_option("--min-block", min_block,
                                  "LIBRA_MALLOC_MIN: the smallest block in payload memory")
                      ->check(CLI::Range(kLowestMin, kHighestMin)));
}

CLI::Option* add_service_options(CLI::App& command, ServiceOptions& options,
                                 const std::string& name, const std::string& description) {
    auto* target = command.add_option(name, options.target, description);
    auto* restart = command.add_flag("--restart", options.restart, "restart it, do not ask");
    auto* no_restart =
        command.add_flag("--no-restart", options.no_restart, "do not restart it, do not ask");
    restart->excludes(no_restart);
    options.all = {
        restart,
        no_restart,
        command.add_flag("--dry-run,--print", options.dry_run, "show what would be done"),
        command.add_flag("--user", options.user, "it is a service of systemctl --user"),
    };
    return target;
}

void add_attach_only_options(CLI::App& command, ServiceOptions& options) {
    add_preload_options(command, options.library, options.min_block, options.all);
    options.all.push_back(
        command.add_flag("--runtime", options.runtime, "until the next boot only (in /run)"));
    options.all.push_back(
        command.add_option("--wait", options.wait, "seconds in which traffic is to be seen")
            ->capture_default_str()
            ->check(CLI::Range(kLongestWait)));
}

void refuse_options_without_target(const ServiceOptions& options) {
    for (const CLI::Option* each : options.all) {
        if (!each->empty())
            throw CLI::RequiresError(each->get_name(), "the name of a service");
    }
}

int attach_target(const Session& session, const ServiceOptions& options) {
    return with_target(session, options,
                       {service::attach_service, service::explain, service::explain_user_service});
}

int detach_target(const Session& session, const ServiceOptions& options) {
    return with_target(
        session, options,
        {service::detach_service, service::explain_detach, service::explain_user_detach});
}

}  // namespace libra
