// SPDX-License-Identifier: GPL-2.0-only
// libractl: asks librad to attach and detach, and shows what it knows.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "address.h"
#include "client.h"
#include "kernel_stats.h"
#include "protocol.h"
#include "report.h"

namespace libra {
namespace {

// Scripts rely on these; libractl.8 documents them.
enum Exit { kOk = 0, kRefused = 1, kUsage = 2, kUnreachable = 3 };

struct Options {
    std::string socket = kDefaultSocket;
    bool json = false;
    AttachRequest attach;
    std::string mode;
    std::uint32_t detach_id = 0;
    bool detach_all = false;
    bool all_stats = false;
};

int fail(Exit code, const Error& error) {
    fmt::print(stderr, "libractl: {}\n", error.message());
    return code;
}

// CLI11 wants an empty string for yes and the complaint for no.
CLI::Validator endpoint_validator(Prefix prefix) {
    return CLI::Validator(
        [prefix](std::string& text) {
            const auto endpoint = parse_endpoint(text, prefix);
            return endpoint ? std::string() : endpoint.error().message();
        },
        prefix == Prefix::allowed ? "ADDR[/PREFIX]:PORT" : "ADDR:PORT");
}

void add_attach(CLI::App& app, Options& options) {
    auto* attach = app.add_subcommand("attach", "attach new connections; prints the policy id");
    attach->add_option("--parser", options.attach.parser, "parser that reads them")->required();
    attach
        ->add_option("--listen", options.attach.listen,
                     "connections accepted here (*:PORT for any address); repeatable")
        ->allow_extra_args(false)
        ->check(endpoint_validator(Prefix::refused));
    attach
        ->add_option("--upstream", options.attach.upstream, "connections made to there; repeatable")
        ->allow_extra_args(false)
        ->check(endpoint_validator(Prefix::allowed));
    attach->add_option("--cgroup", options.attach.cgroup,
                       "only sockets of this cgroup (v2 directory)");
    attach
        ->add_option("--domain", options.attach.domain,
                     "attach domain; both sides of a proxy share one")
        ->required();
    attach->add_option("--mode", options.mode, "token, lazy, dry-run, or off (an exception)")
        ->required()
        ->check(CLI::IsMember({"off", "dry-run", "token", "lazy", "on"}));
    attach->add_flag("--anchor-requests", options.attach.anchor_requests,
                     "anchor request bodies as well");
    attach->add_flag("--no-scrub", options.attach.no_scrub,
                     "leave what was in memory behind a token");
    attach->final_callback([&options, attach] {
        if (options.attach.listen.empty() && options.attach.upstream.empty() &&
            options.attach.cgroup.empty())
            throw CLI::RequiredError("one of --listen, --upstream, --cgroup");
        // librad has another working directory
        if (!options.attach.cgroup.empty())
            options.attach.cgroup =
                std::filesystem::absolute(options.attach.cgroup).lexically_normal().string();
        options.attach.mode = mode_from_name(options.mode).value_or(LIBRA_MODE_OFF);
    });
}

void add_detach(CLI::App& app, Options& options) {
    auto* detach = app.add_subcommand("detach", "stop attaching new connections");
    auto* id = detach->add_option("ID", options.detach_id, "policy id, as attach printed it");
    auto* all = detach->add_flag("--all", options.detach_all, "all policies");
    id->excludes(all);
    detach->final_callback([id, all] {
        if (id->empty() && all->empty())
            throw CLI::RequiredError("a policy id or --all");
    });
}

Request make_request(const CLI::App& app, const Options& options) {
    if (app.got_subcommand("attach"))
        return options.attach;
    if (app.got_subcommand("detach")) {
        DetachRequest detach;
        if (!options.detach_all)
            detach.policy = options.detach_id;
        return detach;
    }
    if (app.got_subcommand("status"))
        return StatusRequest{};
    return StatsRequest{};
}

void print_answer(const CLI::App& app, const Options& options, const Json& answer) {
    if (app.got_subcommand("attach")) {
        fmt::print("{}\n", answer.value("policy", 0U));
        for (const Json& listener : answer.value("left_out", Json::array()))
            fmt::print(stderr,
                       "libractl: warning: the proxy also listens at {}, which no policy of the "
                       "domain names: while it has clients there, everything is copied (and with "
                       "net.libra.strangers=0 they are sent tokens)\n",
                       listener.is_string() ? listener.get<std::string>() : listener.dump());
    }
    if (app.got_subcommand("status"))
        fmt::print("{}", report_status(answer));
    else if (app.got_subcommand("stats"))
        fmt::print("{}", report_stats(answer, options.all_stats));
}

// What librad answers. Lazy mode needs no daemon: where none is asked for by name and none
// runs, the counters are read as it would read them.
Result<std::string> ask(const CLI::App& app, const Options& options) {
    auto client = Client::connect(options.socket);
    if (client)
        return client->ask(make_request(app, options));
    if (!app.got_subcommand("stats") || app.count("--socket") > 0)
        return client.error();
    auto stats = read_kernel_stats();
    if (!stats)
        return std::move(stats).error().context("no librad runs, and is libra.ko loaded?");
    std::string line = to_line(stats_answer(*stats));
    line.pop_back();  // the newline
    return line;
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"libractl: controls librad"};
    app.set_version_flag("--version", LIBRA_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--socket", options.socket, "librad's control socket")->capture_default_str();
    app.add_flag("--json", options.json, "print librad's answer as it is");
    add_attach(app, options);
    add_detach(app, options);
    app.add_subcommand("status", "policies with their counters, and loaded parsers");
    app.add_subcommand("stats", "the kernel's counters that are not 0")
        ->add_flag("--all", options.all_stats, "all counters");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kOk : kUsage;
    }

    const auto line = ask(app, options);
    if (!line)
        return fail(kUnreachable, line.error());
    const auto answer = parse_answer(*line);
    if (options.json)
        fmt::print("{}\n", *line);
    if (!answer)
        return fail(kRefused, answer.error());
    if (!options.json)
        print_answer(app, options, *answer);
    return kOk;
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
