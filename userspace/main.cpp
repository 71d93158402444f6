// SPDX-License-Identifier: GPL-2.0-only
// librad: loads parsers and the attach program, and serves the control socket.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bpf_object.h"
#include "bpf_parser.h"
#include "control_server.h"
#include "event_loop.h"
#include "kernel_stats.h"
#include "kernel_support.h"
#include "policy_program.h"
#include "protocol.h"
#include "service.h"

namespace libra {
namespace {

struct Options {
    std::string socket = kDefaultSocket;
    std::vector<std::string> parsers = known_parsers();
    bool foreground = false;
    bool verbose = false;
};

// What ends librad becomes an event, from before anything is attached: an end that is not
// in order may cost connections. A log that nobody reads any more does not end it.
Result<UniqueFd> watch_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    struct sigaction hangup {};
    if (sigaction(SIGHUP, nullptr, &hangup))
        return Error::from_errno("cannot ask about signals");
    if (hangup.sa_handler != SIG_IGN)  // it is with nohup, and would be an event all the same
        sigaddset(&signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &signals, nullptr))
        return Error::from_errno("cannot block signals");
    UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return Error::from_errno("cannot watch signals");
    return fd;
}

// Goes on in a child without a terminal; the parent leaves. Called once the
// socket is served, so that the exit status says whether librad works.
Status go_to_background() {
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null)
        return Error::from_errno("/dev/null");
    const pid_t pid = fork();
    if (pid < 0)
        return Error::from_errno("cannot fork");
    if (pid > 0)
        _exit(EXIT_SUCCESS);  // no destructors: the child owns everything now
    setsid();
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        dup2(null.get(), fd);
    const auto level = spdlog::get_level();
    spdlog::set_default_logger(
        spdlog::syslog_logger_mt("librad-syslog", "librad", LOG_PID, LOG_DAEMON));
    spdlog::set_pattern("%v");
    spdlog::set_level(level);
    return Ok{};
}

Result<UniqueFd> every_second() {
    UniqueFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const timespec second = {.tv_sec = 1, .tv_nsec = 0};
    const itimerspec when = {.it_interval = second, .it_value = second};
    if (!fd || timerfd_settime(fd.get(), 0, &when, nullptr))
        return Error::from_errno("cannot make a timer");
    return fd;
}

// Tokens that a proxy holds are redeemed after the end of a policy, but where a
// message begins only with its parser: without, it is a fail-stop. Not for long:
// a proxy may have dropped them.
void let_tokens_leave() {
    for (int i = 0; i < 60; ++i) {
        const auto stats = read_kernel_stats();
        if (!stats)
            return;
        const auto live = std::find_if(stats->begin(), stats->end(), [](const auto& stat) {
            return stat.first == "anchors_live";
        });
        if (live == stats->end() || live->second == 0)
            return;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

Status serve(const Options& options) {
    for (const std::string& name : options.parsers) {
        if (std::count(options.parsers.begin(), options.parsers.end(), name) > 1)
            return Error(fmt::format("parser '{}' is named twice", name), EINVAL);
        if (auto status = check_parser_name(name); !status)
            return status;
    }
    if (auto status = check_kernel_files(); !status)
        return status;
    if (auto status = check_privileges(); !status)
        return status;
    if (auto status = check_kernel_abi(); !status)
        return status;

    auto lock = ControlLock::take(options.socket);
    if (!lock)
        return std::move(lock).error();
    auto signals = watch_signals();
    if (!signals)
        return std::move(signals).error();
    auto timer = every_second();
    if (!timer)
        return std::move(timer).error();
    auto loop = EventLoop::create();
    if (!loop)
        return std::move(loop).error();
    const auto netns = own_netns_cookie();
    if (!netns)
        return netns.error();

    // What follows is undone in reverse order, on failure and at the end: socket,
    // parsers, attach program. Without its parser nothing more is anchored, so no
    // connection that comes after the attach program can be sent a token. SIGKILL
    // keeps to this order as well: the kernel closes the files of a dying task
    // from the highest number down (its task_work is a stack), and the links of
    // the attach program, opened first and when no lower number was free, have
    // lower ones than those of the parsers.
    auto program = PolicyProgram::load();
    if (!program)
        return std::move(program).error();
    spdlog::info("attach program: attached, policy empty");
    std::vector<Parser> parsers;
    for (const std::string& name : options.parsers) {
        auto parser = Parser::load(name);
        if (!parser)
            return std::move(parser).error();
        parsers.push_back(std::move(parser).value());
        spdlog::info("parser {}: registered", name);
    }
    if (!libra_enabled())
        spdlog::warn("net.libra.enabled is 0: nothing is anchored until it is 1");

    Service service(*program, options.parsers, *netns);
    service.tend();  // what a former librad left
    auto server = ControlServer::start(
        *lock, *loop, [&service](std::string_view line) { return service.handle(line); });
    if (!server)
        return std::move(server).error();
    spdlog::info("control socket: {}", options.socket);

    if (!options.foreground) {
        if (auto status = go_to_background(); !status)
            return status;
    }
    // Only now: epoll is woken by the signals of the process that adds a signalfd.
    if (auto status = loop->add(signals->get(), EPOLLIN, [&loop](std::uint32_t) { loop->stop(); });
        !status)
        return status;
    const auto tick = [&service, &timer](std::uint32_t) {
        std::uint64_t ticks = 0;
        if (read(timer->get(), &ticks, sizeof(ticks)) > 0)
            service.tend();
    };
    if (auto status = loop->add(timer->get(), EPOLLIN, tick); !status)
        return status;
    auto status = loop->run();
    spdlog::info("stopping: detaching the policies, the parsers and the attach program");
    if (auto detached = service.shutdown(); !detached)
        spdlog::warn("the parsers go with policies in force: {}", detached.error().message());
    let_tokens_leave();
    return status;
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"librad: attaches Libra to the TCP connections that its policies name"};
    app.set_version_flag("--version", LIBRA_VERSION);
    app.add_option("--socket", options.socket, "control socket")->capture_default_str();
    app.add_option("--parser", options.parsers, "parser to load; repeatable")
        ->allow_extra_args(false)
        ->capture_default_str();
    app.add_flag("--foreground", options.foreground, "stay in the foreground, log to stderr");
    app.add_flag("--verbose", options.verbose, "log what libbpf and the verifier say");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
    }

    spdlog::set_default_logger(spdlog::stderr_color_st("librad"));
    spdlog::set_pattern("librad: %v");
    spdlog::set_level(options.verbose ? spdlog::level::debug : spdlog::level::info);
    capture_libbpf_log();

    const auto status = serve(options);
    if (!status) {
        spdlog::error("{}", status.error().message());
        return EXIT_FAILURE;
    }
    spdlog::info("stopped");
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace libra

int main(int argc, char** argv) {
    try {
        return libra::run(argc, argv);
    } catch (const std::exception& error) {
        fprintf(stderr, "librad: internal error: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
