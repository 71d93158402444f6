// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "address.h"
#include "commands.h"
#include "service_options.h"

namespace libra {
namespace {

struct Options {
    AttachRequest request;
    std::string mode;
    std::string breaker = format_breaker(Breaker{});
    std::string check = format_check_rate(CheckRate{});
    ServiceOptions service;
    std::vector<CLI::Option*> of_policies;
    std::vector<CLI::Option*> required;  // of a policy
};

// CLI11 wants an empty string for yes and the complaint for no.
CLI::Validator endpoint_validator(Prefix prefix) {
    return CLI::Validator(
        [prefix](std::string& text) {
            const auto endpoint = parse_endpoint(text, prefix);
            return endpoint ? std::string() : endpoint.error().message();
        },
        prefix == Prefix::allowed ? "ADDR[/PREFIX]:PORT" : "ADDR:PORT");
}

CLI::Validator breaker_validator() {
    return CLI::Validator(
        [](std::string& text) {
            const auto breaker = parse_breaker(text);
            return breaker ? std::string() : breaker.error().message();
        },
        "N/SECONDS|off");
}

CLI::Validator check_validator() {
    return CLI::Validator(
        [](std::string& text) {
            const auto rate = parse_check_rate(text);
            return rate ? std::string() : rate.error().message();
        },
        "1/N|all|off");
}

void check(Options& options) {
    if (!options.service.target.empty()) {
        for (const CLI::Option* each : options.of_policies) {
            if (!each->empty())
                throw CLI::ExcludesError("TARGET", each->get_name());
        }
        return;
    }
    refuse_options_without_target(options.service);
    for (const CLI::Option* each : options.required) {
        if (each->empty())
            throw CLI::RequiredError(each->get_name());
    }
    AttachRequest& request = options.request;
    if (request.listen.empty() && request.upstream.empty() && request.cgroup.empty())
        throw CLI::RequiredError("one of --listen, --upstream, --cgroup");
    // librad has another working directory
    for (std::string* path : {&request.cgroup, &request.netns}) {
        if (!path->empty())
            *path = std::filesystem::absolute(*path).lexically_normal().string();
    }
    request.breaker = parse_breaker(options.breaker).value();
    request.check = parse_check_rate(options.check).value();
    request.mode = mode_from_name(options.mode).value_or(LIBRA_MODE_OFF);
}

void show(const Json& answer) {
    fmt::print("{}\n", answer.value("policy", 0U));
    for (const Json& listener : answer.value("left_out", Json::array()))
        fmt::print(stderr,
                   "libractl: warning: the proxy also listens at {}, which no policy of the "
                   "domain names: while it has clients there, everything is copied (and with "
                   "net.libra.strangers=0 they are sent tokens)\n",
                   listener.is_string() ? listener.get<std::string>() : listener.dump());
}

}  // namespace

Run add_attach(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    AttachRequest& request = options->request;
    add_service_options(command, options->service, "TARGET",
                        "service to give payload memory, or docker:NAME, podman:NAME, a PID, a "
                        "cgroup's directory");
    add_attach_only_options(command, options->service);
    auto* parser = command.add_option("--parser", request.parser, "parser that reads them");
    auto* listen = command
                       .add_option("--listen", request.listen,
                                   "connections accepted here (*:PORT for any address); repeatable")
                       ->allow_extra_args(false)
                       ->check(endpoint_validator(Prefix::refused));
    auto* upstream =
        command.add_option("--upstream", request.upstream, "connections made to there; repeatable")
            ->allow_extra_args(false)
            ->check(endpoint_validator(Prefix::allowed));
    auto* cgroup = command.add_option("--cgroup", request.cgroup,
                                      "only sockets of this cgroup (v2 directory)");
    auto* name = command.add_option("--name", request.name, "what to call it");
    auto* netns = command.add_option(
        "--netns", request.netns, "network namespace, such as /run/netns/NAME (default: librad's)");
    auto* breaker = command
                        .add_option("--breaker", options->breaker,
                                    "FAIL-STOPS/SECONDS that take it back to native copies, or off")
                        ->capture_default_str()
                        ->check(breaker_validator());
    auto* check_rate =
        command
            .add_option("--check", options->check,
                        "how many messages are copied and looked for on their way out: off, all, 1/N")
            ->capture_default_str()
            ->check(check_validator());
    auto* domain = command.add_option("--domain", request.domain,
                                      "attach domain; both sides of a proxy share one");
    auto* mode =
        command.add_option("--mode", options->mode, "token, lazy, dry-run, or off (an exception)")
            ->check(CLI::IsMember({"off", "dry-run", "token", "lazy", "on"}));
    auto* requests = command.add_flag("--anchor-requests", request.anchor_requests,
                                      "anchor request bodies as well");
    auto* no_scrub =
        command.add_flag("--no-scrub", request.no_scrub, "leave what was in memory behind a token");
    options->required = {parser, domain, mode};
    options->of_policies = {parser,  listen, upstream, cgroup,   name,    netns,
                            breaker, check_rate, domain, mode, requests, no_scrub};
    command.final_callback([options = options.get()] { check(*options); });
    return [options](const Session& session) {
        if (!options->service.target.empty())
            return attach_target(session, options->service);
        return ask_librad(session, options->request, show);
    };
}

}  // namespace libra
