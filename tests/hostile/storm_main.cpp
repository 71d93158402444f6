// SPDX-License-Identifier: GPL-2.0-only
// libra-storm: a proxy of many threads that do everything at once to the same connections and
// the same memory, and clients that look at every byte.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/counters.h"
#include "common/error.h"
#include "common/socket.h"
#include "counted.h"
#include "storm_peers.h"
#include "storm_proxy.h"
#include "storm_shared.h"

namespace {

using namespace libra::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr double kStall = 60;  // seconds without a byte, or for an end

void declare(CLI::App& app, StormOptions& options) {
    app.add_option("--listen", options.listen, "the proxy's port, attached")->capture_default_str();
    app.add_option("--origin", options.origin, "the origins' port, attached")
        ->capture_default_str();
    app.add_option("--threads", options.threads, "of the proxy")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    app.add_option("--upstreams", options.upstreams, "connections that they share")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    app.add_option("--clients", options.clients, "connections that they share")
        ->check(CLI::Range(2, 256))
        ->capture_default_str();
    app.add_option("--seconds", options.seconds, "0: until standard input ends")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--seed", options.seed, "of what the threads choose; not of who is faster")
        ->capture_default_str();
    app.add_flag("--ktls", options.ktls, "kernel TLS encrypts what origins and the proxy send");
    app.add_flag("--plain", options.plain, "nothing is attached: checks this program itself");
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Where in the kernel all threads of a process are, as far as it says so.
void show_threads(pid_t pid) {
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
        std::cerr << task.path().string() + ": " + read_file(task.path() / "wchan") + "\n" +
                         read_file(task.path() / "stack");
}

// Exits on the spot, if a call hangs: nobody could wait for the thread that is in it.
[[noreturn]] void hang(const std::string& what, const StormProxy& proxy, const StormPeers& peers) {
    std::cerr << "libra-storm: " + what + "; the threads: " + proxy.doing() + "\n";
    show_threads(::getpid());
    show_threads(peers.pid());
    std::cerr << read_file("/proc/net/tcp");
    ::_exit(3);
}

bool is_over(const StormOptions& options, Clock::time_point begin) {
    if (options.seconds > 0) {
        std::this_thread::sleep_for(50ms);
        return Clock::now() - begin >= std::chrono::duration<double>(options.seconds);
    }
    pollfd poll = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    char byte = 0;
    return ::poll(&poll, 1, 50) == 1 && ::read(STDIN_FILENO, &byte, 1) <= 0;
}

void watch(const StormOptions& options, const StormShared& shared, const StormProxy& proxy,
           const StormPeers& peers) {
    const auto begin = Clock::now();
    auto moved = begin;
    std::uint64_t received = 0;
    while (!is_over(options, begin)) {
        if (shared.received != received) {
            received = shared.received;
            moved = Clock::now();
        } else if (Clock::now() - moved > std::chrono::duration<double>(kStall)) {
            hang("no client receives anything", proxy, peers);
        }
    }
}

// Clients that connected at the very end are told that they came in vain.
void see_off(StormPeers& peers, const Fd& listener, const StormProxy& proxy) {
    const auto end = Clock::now() + std::chrono::duration<double>(kStall);
    while (!peers.wait(0.05)) {
        while (Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))) {
        }
        if (Clock::now() >= end)
            hang("a client's connection does not end", proxy, peers);
    }
}

int run(const StormOptions& options) {
    const Fd listener = listen_on(options.listen);
    Fd origin = listen_on(options.origin);
    const StormMemory shared;
    // Before there are threads.
    StormPeers peers(options, *shared, std::move(origin), listener);
    const auto counters = [&options] { return options.plain ? Counters{} : read_counters(); };
    const auto before = counters();

    StormProxy proxy(options, *shared, listener);
    if (options.plain)
        shared->magic = {'\x81', 'm', 'a', 'g', 'i', 'c', '\x82', '\x83'};  // as good as any
    else
        proxy.learn();
    shared->learned = true;
    proxy.start();
    watch(options, *shared, proxy, peers);
    shared->over = true;
    if (!proxy.stop(kStall))
        hang("a call does not end", proxy, peers);
    see_off(peers, listener, proxy);

    const StormTally& tally = proxy.tally();
    const nlohmann::ordered_json sum = {
        {"received", shared->received.load()}, {"wrong", shared->wrong.load()},
        {"late", shared->late.load()},         {"connections", shared->connections.load()},
        {"resets", shared->resets.load()},     {"left", shared->left.load()},
        {"receives", tally.receives.load()},   {"ranges", tally.ranges.load()},
        {"peeks", tally.peeks.load()},         {"false_peeks", tally.false_peeks.load()},
        {"sends", tally.sends.load()},         {"together", tally.together.load()},
        {"twice", tally.twice.load()},         {"rests", tally.rests.load()},
        {"left_out", tally.left_out.load()},   {"failed", tally.failed.load()},
        {"shut", tally.shut.load()},           {"dropped", tally.dropped.load()},
        {"aborted", tally.aborted.load()},     {"dups", tally.dups.load()},
        {"forks", tally.forks.load()},         {"counted", counted(before, counters())}};
    std::cout << sum.dump() << std::endl;
    if (options.plain && shared->resets > tally.client_aborts) {
        std::cerr << "connections were reset that nobody reset\n";
        return 1;
    }
    return shared->wrong == 0 && tally.false_peeks == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        StormOptions options;
        CLI::App app("Forwards with many threads on the same connections, and checks every byte.",
                     "libra-storm");
        declare(app, options);
        CLI11_PARSE(app, argc, argv);
        return run(options);
    } catch (const std::exception& error) {
        std::cerr << "libra-storm: " << error.what() << '\n';
        return 2;
    }
}
