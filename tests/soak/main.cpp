// SPDX-License-Identifier: GPL-2.0-only
// libra-soak: an origin and many clients of it, through proxies; every shape and
// size of message that the seed says, every byte compared.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <list>
#include <nlohmann/json.hpp>

#include "client.h"
#include "common/error.h"
#include "origin.h"

namespace {

using namespace libra::soak;

constexpr int kTick = 5;  // milliseconds
constexpr std::chrono::seconds kProgress(5);

void declare(CLI::App& app, Options& options) {
    app.add_option("--origin", options.origins, "the origin's port; repeatable")
        ->capture_default_str();
    app.add_option("--target", options.targets, "a proxy's port; repeatable")
        ->capture_default_str();
    app.add_option("--messages", options.messages, "how many")->capture_default_str();
    app.add_option("--seed", options.mix.seed, "of sizes, shapes and bytes")->capture_default_str();
    app.add_flag("--lengths-only", options.mix.lengths_only,
                 "nothing but downloads with a Content-Length");
    app.add_option("--size", options.mix.size, "of all bodies (default: 0 to 4 MB)");
    app.add_flag("--plain-chunks", options.mix.plain_chunks,
                 "chunks have no extensions, and bodies no trailers");
    app.add_flag("--no-sendfile", options.mix.no_sendfile,
                 "the origin never uses it, half of the time otherwise");
    app.add_option("--segment", options.segment, "payload bytes of each send by the origin");
    app.add_option("--stall", options.stall, "seconds during which no client reads");
    app.add_option("-c,--connections", options.connections, "clients at a time")
        ->capture_default_str();
    app.add_option("--timeout", options.timeout, "seconds without a byte that are a stall")
        ->capture_default_str();
}

// Each client is two descriptors here.
void raise_descriptor_limit(unsigned connections) {
    const rlim_t need = 2 * rlim_t{connections} + 100;
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::max(limit.rlim_cur, need);
    limit.rlim_max = std::max(limit.rlim_max, need);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        throw libra::test::Error::from_errno("RLIMIT_NOFILE");
}

int soak(const Options& options) {
    raise_descriptor_limit(options.connections);
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const Blob blob(2 * kLargest, options.mix.seed);
    Report report;
    report.mix = options.mix;
    Loop loop;
    std::list<Origin> origins;
    for (const auto port : options.origins)
        origins.emplace_back(loop, port, blob, report, options.segment);
    Client client(loop, options, blob, report);
    const auto seconds = [begin] {
        return std::chrono::duration<double>(Clock::now() - begin).count();
    };

    auto next = begin + kProgress;
    for (client.tick(); !client.done(); client.tick()) {
        loop.wait(kTick);
        for (Origin& origin : origins)
            origin.reap();
        if (Clock::now() >= next) {
            std::cerr << "# " << report.messages << " of " << options.messages << " messages, "
                      << (report.bytes >> 20) << " MiB, " << static_cast<int>(seconds()) << " s"
                      << std::endl;
            next = Clock::now() + kProgress;
        }
    }
    const nlohmann::ordered_json sum = {{"messages", report.messages}, {"bytes", report.bytes},
                                        {"wrong", report.wrong},       {"broken", report.broken},
                                        {"stalls", report.stalls},     {"seconds", seconds()}};
    std::cout << sum.dump() << std::endl;
    return report.wrong + report.broken + report.stalls == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options;
        CLI::App app("Soaks proxies with messages of every shape, and checks every byte.",
                     "libra-soak");
        declare(app, options);
        CLI11_PARSE(app, argc, argv);
        std::signal(SIGPIPE, SIG_IGN);  // sendfile() knows no MSG_NOSIGNAL
        return soak(options);
    } catch (const std::exception& error) {
        std::cerr << "libra-soak: " << error.what() << '\n';
        return 2;
    }
}
