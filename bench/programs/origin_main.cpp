// SPDX-License-Identifier: GPL-2.0-only
// libra-bench-origin: the server behind the proxies that are measured.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "net.h"
#include "origin.h"
#include "pattern.h"

namespace {

int run(int argc, char** argv) {
    CLI::App app(
        "HTTP/1.1 origin for benchmarks, one thread.\n"
        "GET /bytes/N and /chunked/N answer with N bytes of a fixed pattern; PUT and POST /sink\n"
        "discard the body, /verify compares it with the pattern. /BODY behind all but /sink: one\n"
        "of " +
        std::to_string(libra::bench::kBodies) +
        " that have no page in common. Prints \"ready\"; SIGTERM ends it.");
    std::string listen;
    std::size_t chunk = 16384;
    app.add_option("--listen", listen, "IP:PORT or [IPv6]:PORT; port 0: any, \"ready PORT\"")
        ->required();
    app.add_option("--chunk", chunk, "bytes in a chunk of /chunked/N")
        ->check(CLI::Range(std::size_t{1}, libra::bench::kMostBytes))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    libra::bench::raise_file_limit();
    libra::bench::Origin(libra::bench::parse_endpoint(listen), chunk).run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "libra-bench-origin: " << error.what() << "\n";
        return 1;
    }
}
