// SPDX-License-Identifier: GPL-2.0-only
// libra-bench-client: the load in front of the proxies that are measured.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <map>
#include <string>

#include "client.h"
#include "pattern.h"

namespace {

using libra::bench::Shape;

const std::map<std::string, Shape> kShapes = {{"download", Shape::kDownload},
                                              {"chunked", Shape::kChunked},
                                              {"upload", Shape::kUpload},
                                              {"upload-chunked", Shape::kUploadChunked}};

void declare(CLI::App& app, libra::bench::Options& options, std::string& address,
             std::string& shape) {
    app.add_option("--address", address, "IP:PORT or [IPv6]:PORT of the proxy or the origin")
        ->required();
    app.add_option("--shape", shape, "download, chunked, upload or upload-chunked")
        ->check(CLI::IsMember(kShapes))
        ->required();
    app.add_option("--size", options.size, "payload bytes of a request")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{libra::bench::kMostBytes}))
        ->required();
    app.add_option("--connections", options.connections, "connections at a time")
        ->check(CLI::Range(1U, 60000U))
        ->required();
    auto* const span = app.add_option_group("span", "how long (one of them)");
    span->add_option("--seconds", options.seconds, "measure for so long")
        ->check(CLI::PositiveNumber);
    span->add_option("--requests", options.requests, "measure so many requests")
        ->check(CLI::PositiveNumber);
    span->require_option(1);
    app.add_option("--at-least", options.at_least,
                   "with --seconds: go on until so many answers have come (closed loop)")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--warm-up", options.warm_up, "seconds of load before that")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--one-shot", options.one_shot, "a connection for each request");
    app.add_option("--rate", options.rate,
                   "requests per second in total, due at fixed intervals (open loop)")
        ->check(CLI::PositiveNumber);
    app.add_flag("--verify", options.verify, "compare every byte");
    app.add_option("--vary", options.vary,
                   "each request has another body, the first of them this one")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--tls", options.tls, "speak TLS; the certificate is not checked");
    app.add_flag("--gzip", options.gzip, "ask for gzip, and take no other coding (downloads)");
    app.add_flag("--linger", options.linger,
                 "after the window go on with the load until SIGTERM (closed loop)");
    app.add_option("--timeout", options.timeout, "seconds after which a request has failed")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--chunk", options.chunk, "bytes in a chunk of upload-chunked")
        ->check(CLI::Range(std::size_t{1}, libra::bench::kMostBytes))
        ->capture_default_str();
}

int run(int argc, char** argv) {
    CLI::App app(
        "HTTP/1.1 load client for benchmarks, one thread.\n"
        "Prints one JSON object; \"measuring\" and \"measured\" on stderr frame what it is about.\n"
        "The exit status is 0 if nothing failed, 1 if a request did or the run could not be made,\n"
        "2 if the arguments are wrong.");
    libra::bench::Options options;
    std::string address;
    std::string shape;
    declare(app, options, address, shape);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    options.address = libra::bench::parse_endpoint(address);
    options.shape = kShapes.at(shape);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL knows no MSG_NOSIGNAL
    libra::bench::raise_file_limit();
    const auto report = libra::bench::Client(options).run();
    std::cout << report.json() << std::endl;
    if (report.clean())
        return 0;
    std::cerr << "libra-bench-client: " << report.errors + report.mismatches
              << " requests failed, the first with " << report.first_error << "\n";
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "libra-bench-client: " << error.what() << "\n";
        return 1;
    }
}
