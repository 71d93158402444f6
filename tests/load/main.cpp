// SPDX-License-Identifier: GPL-2.0-only
// libra-load: an HTTP/1.1 load client that checks every byte of every body.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <limits>

#include "client.h"
#include "mapped_file.h"
#include "options.h"
#include "target.h"

namespace {

void declare(CLI::App& app, libra::load::Options& options) {
    app.add_option("url", options.url, "http://host:port/path; IPv6 as [address]")->required();
    app.add_option("--reference", options.reference, "file that every body must equal")->required();
    app.add_option("-c,--connections", options.connections, "connections at a time")
        ->check(CLI::Range(1U, 4096U))
        ->capture_default_str();
    app.add_option("-n,--requests", options.requests, "how many requests to make (default 1)");
    app.add_option("-d,--duration", options.duration, "seconds during which requests start");
    app.add_option("--timeout", options.timeout, "seconds after which a request has failed")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--method", options.method)
        ->check(CLI::IsMember({"GET", "HEAD"}))
        ->capture_default_str();
    app.add_option("--status", options.status, "expected status")->capture_default_str();
    app.add_flag("--gzip", options.gzip, "ask for gzip; what is compared is the decoded body");
    app.add_flag("--close", options.close, "a connection for each request");
    auto* abort =
        app.add_option("--abort-after", options.abort_after, "vanish after this many body bytes");
    app.add_option("--abort-fraction", options.abort_fraction, "share of the requests that vanish")
        ->check(CLI::Range(0.0, 1.0))
        ->needs(abort)
        ->capture_default_str();
    app.add_flag("--abort-reset", options.abort_reset, "vanish with a reset")->needs(abort);
    app.add_option("--read-rate", options.read_rate, "read this many bytes per second (each)");
    app.add_option("--rcvbuf", options.receive_buffer, "SO_RCVBUF of the connections")
        ->check(CLI::Range(1, std::numeric_limits<int>::max()));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "HTTP/1.1 load client that compares every body with a file.\n"
        "Prints a JSON summary; the exit status is 0 if all was exact, 1 if not, 2 if it could "
        "not run.");
    libra::load::Options options;
    declare(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (options.requests == 0 && options.duration <= 0)
        options.requests = 1;

    try {
        const libra::load::MappedFile reference(options.reference);
        libra::load::Client client(options, libra::load::resolve(options.url), reference.bytes());
        const auto summary = client.run();
        std::cout << summary.json() << std::endl;
        return summary.clean() ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << "libra-load: " << error.what() << "\n";
        return 2;
    }
}
