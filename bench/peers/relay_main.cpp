// SPDX-License-Identifier: GPL-2.0-only
// libra-bench-relay: what moving bytes costs where nobody looks at them.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include "relay.h"

namespace {

int run(int argc, char** argv) {
    CLI::App app(
        "Relay of TCP connections for benchmarks, one thread.\n"
        "copy: recv and send; splice: through a pipe; sockmap: BPF, in the kernel (needs root).\n"
        "Prints \"ready\"; SIGTERM ends it.");
    std::string mode;
    std::string listen;
    std::string upstream;
    int pipe = 1048576;
    std::size_t buffer = 65536;
    app.add_option("--mode", mode)->check(CLI::IsMember({"copy", "splice", "sockmap"}))->required();
    app.add_option("--listen", listen, "IP:PORT or [IPv6]:PORT; port 0: any, \"ready PORT\"")
        ->required();
    app.add_option("--upstream", upstream, "IP:PORT or [IPv6]:PORT")->required();
    app.add_option("--pipe", pipe, "bytes in a pipe of splice")
        ->check(CLI::Range(4096, 1 << 30))
        ->capture_default_str();
    app.add_option("--buffer", buffer, "bytes in a buffer of copy")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    using namespace libra::bench;
    std::signal(SIGPIPE, SIG_IGN);  // splice() has no MSG_NOSIGNAL
    raise_file_limit();
    const auto from = parse_endpoint(listen);
    const auto to = parse_endpoint(upstream);
    Relay(from, to,
          mode == "copy"     ? copy_flows(buffer)
          : mode == "splice" ? splice_flows(pipe)
                             : sockmap_flows())
        .run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "libra-bench-relay: " << error.what() << "\n";
        return 1;
    }
}
