// SPDX-License-Identifier: GPL-2.0-only
// librad: loads parsers and the attach program, keeps the policies, and serves the control
// socket.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "background.h"
#include "bpf_object.h"
#include "config.h"
#include "control_server.h"
#include "event_loop.h"
#include "kernel_support.h"
#include "metrics.h"
#include "notify.h"
#include "parser_object.h"
#include "parser_set.h"
#include "pins.h"
#include "policy_program.h"
#include "protocol.h"
#include "service.h"
#include "state_file.h"

namespace libra {
namespace {

// Beside the control socket: what the next librad has to know of what is pinned.
constexpr const char* kPoliciesSuffix = ".policies";
constexpr const char* kParsersSuffix = ".parsers";

struct Options {
    std::string socket = kDefaultSocket;
    std::vector<std::string> parsers = builtin_parsers();
    std::string config;  // none: policies come from clients only
    std::string pin;     // none: nothing outlives librad
    std::string group = "libra";
    bool foreground = false;
    bool verbose = false;
    bool remove = false;
};

// By its name, if it is built in, or the file that it is in.
Result<ParserObject> parser_of(const std::string& text) {
    if (text.find('/') == std::string::npos)
        return builtin_parser(text);
    return read_parser(std::filesystem::absolute(text).lexically_normal().string());
}

// All of them, before anything is attached, so that one that is not there is said first.
Result<std::vector<ParserObject>> parsers_of(const std::vector<std::string>& named) {
    std::vector<ParserObject> all;
    for (const std::string& text : named) {
        auto object = parser_of(text);
        if (!object)
            return std::move(object).error();
        for (const ParserObject& other : all) {
            if (other.info.name == object->info.name)
                return Error(fmt::format("parser '{}' is named twice", other.info.name), EINVAL);
        }
        all.push_back(std::move(object).value());
    }
    return all;
}

Status check() {
    if (auto status = check_kernel_files(); !status)
        return status;
    if (auto status = check_privileges(); !status)
        return status;
    return check_kernel_abi();
}

// What is attached, and what is registered, in the kernel. It is undone in reverse order, but
// for what is pinned: parsers, attach program. Without its parser nothing more is anchored, so
// no connection that comes after the attach program can be sent a token. SIGKILL keeps to this
// order as well: the kernel closes the files of a dying task from the highest number down (its
// task_work is a stack), and the links of the attach program, opened first and when no lower
// number was free, have lower ones than those of the parsers, whenever these come.
struct Kernel {
    std::optional<Pins> pins;
    std::optional<PolicyProgram> program;
    std::optional<ParserSet> parsers;

    Status load(const Options& options, const std::vector<ParserObject>& objects) {
        if (!options.pin.empty()) {
            auto opened = Pins::open(options.pin);
            if (!opened)
                return std::move(opened).error();
            pins.emplace(std::move(opened).value());
        }
        auto loaded = PolicyProgram::load(pins ? &*pins : nullptr);
        if (!loaded)
            return std::move(loaded).error();
        program.emplace(std::move(loaded).value());
        spdlog::info("attach program: attached{}", pins ? ", pinned" : ", policy empty");
        if (pins)
            parsers.emplace(*pins, ParserState(options.socket + kParsersSuffix));
        else
            parsers.emplace();
        if (auto status = parsers->begin(objects); !status)
            return status;
        if (!libra_enabled())
            spdlog::warn("net.libra.enabled is 0: nothing is anchored until it is 1");
        return Ok{};
    }
};

Service::Settings settings(const Options& options, const Netns& netns) {
    Service::Settings settings{.netns = netns};
    if (!options.pin.empty())
        settings.state.emplace(options.socket + kPoliciesSuffix);
    if (!options.config.empty())
        settings.configuration = [path = options.config] { return read_config(path); };
    return settings;
}

void reload(Service& service) {
    notify_reloading();
    if (const auto done = service.reload(); !done) {
        spdlog::error("reload: {}; all stays as it was", done.error().message());
        notify_status("reload: " + done.error().message());
    }
    notify_ready();
}

Status run_loop(EventLoop& loop, const UniqueFd& signals, const UniqueFd& timer, Service& service,
                MetricsPlace& metrics) {
    // Only now: epoll is woken by the signals of the process that adds a signalfd.
    const auto on_signal = [&](std::uint32_t) {
        const int number = next_signal(signals);
        if (number == SIGHUP && service.has_configuration())
            reload(service);
        else if (number)
            loop.stop();
    };
    if (auto status = loop.add(signals.get(), EPOLLIN, on_signal); !status)
        return status;
    const auto tick = [&](std::uint32_t) {
        std::uint64_t ticks = 0;
        if (read(timer.get(), &ticks, sizeof(ticks)) <= 0)
            return;
        service.tend();
        metrics.update(Json::parse(service.handle(R"({"op":"status"})"), nullptr, false));
        notify_alive();
    };
    if (auto status = loop.add(timer.get(), EPOLLIN, tick); !status)
        return status;
    return loop.run();
}

// The last librad's, which are in force again before the configuration is looked at. A file
// that says nothing readable is said by resume(), and leaves none.
bool policies_are_left(const Options& options) {
    if (options.pin.empty())
        return false;
    const auto kept = StateFile(options.socket + kPoliciesSuffix).load();
    return kept && !kept->policies().empty();
}

// What is in force already stays so whether librad runs or not; without a control socket
// nobody could end it, or what of it is in the configuration's way.
Status begin(Service& service) {
    if (auto status = service.resume(); !status)
        return status;
    service.tend();  // what a former librad left
    if (!service.has_configuration())
        return Ok{};
    const auto done = service.reload();
    if (done)
        return Ok{};
    if (!service.has_policies())
        return done.error();
    spdlog::error(
        "the configuration is not in force: {}; the policies of the last librad go on: mend the "
        "file, or detach what is in its way (libractl status), then libractl reload",
        done.error().message());
    notify_status("the configuration is not in force: " + done.error().message());
    return Ok{};
}

void end(Service& service, bool pinned) {
    notify_stopping();
    if (pinned) {
        spdlog::info(
            "stopping: the policies stay in force, without breakers; librad --remove takes "
            "everything out of the kernel");
        return;
    }
    spdlog::info("stopping: detaching the policies, the parsers and the attach program");
    if (auto detached = service.shutdown(); !detached)
        spdlog::warn("the parsers go with policies in force: {}", detached.error().message());
    wait_for_anchors(kTokensLeave);
}

Status serve(const Options& options) {
    const auto objects = parsers_of(options.parsers);
    if (!objects)
        return objects.error();
    if (auto status = check(); !status)
        return status;
    const bool left = policies_are_left(options);
    if (!options.config.empty() && !left) {
        if (auto config = read_config(options.config); !config)
            return std::move(config).error();
    }

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
    const auto netns = Netns::own();
    if (!netns)
        return netns.error();
    Kernel kernel;
    if (auto status = kernel.load(options, *objects); !status)
        return status;
    MetricsPlace metrics;
    Service::Settings wanted = settings(options, *netns);
    wanted.metrics = [&metrics](const std::string& address) { return metrics.move_to(address); };
    Service service(*kernel.program, *kernel.parsers, std::move(wanted));
    if (auto status = begin(service); !status)
        return status;
    auto server = ControlServer::start(
        *lock, *loop,
        [&service](std::string_view line, bool trusted) { return service.handle(line, trusted); },
        options.group);
    if (!server)
        return std::move(server).error();
    spdlog::info("control socket: {}", options.socket);

    if (!options.foreground) {
        if (auto status = go_to_background(); !status)
            return status;
    }
    if (auto status = metrics.begin(); !status) {
        if (!left)
            return status;
        spdlog::error("{}; without metrics until libractl reload", status.error().message());
        notify_status("no metrics: " + status.error().message());
    }
    notify_ready();
    auto status = run_loop(*loop, *signals, *timer, service, metrics);
    end(service, kernel.pins.has_value());
    return status;
}

// In order: nothing more is kept, what is kept is sent, and then what kept it goes.
Status wind_down_all(const Options& options) {
    // Programs that the kernel's libra does not understand would only attach nothing.
    if (auto status = check_kernel_abi(); !status)
        return status;
    const auto netns = Netns::own();
    if (!netns)
        return netns.error();
    Kernel kernel;
    if (auto status = kernel.load(options, {}); !status)
        return status;
    Service service(*kernel.program, *kernel.parsers, settings(options, *netns));
    if (auto status = service.resume(); !status)
        return status;
    if (auto status = service.shutdown(); !status)
        return status;
    wait_for_anchors(kTokensLeave);
    return Ok{};
}

// Takes out of the kernel what a librad left that was to outlive itself.
Status remove_all(const Options& options) {
    if (options.pin.empty())
        return Error("--remove needs --pin DIR: what is to be removed", EINVAL);
    auto lock = ControlLock::take(options.socket);
    if (!lock)
        return std::move(lock).error();
    if (access(options.pin.c_str(), F_OK) == 0) {
        // A module that is to make room for another one may be too old for this librad.
        if (auto status = wind_down_all(options); !status)
            spdlog::warn(
                "{}; parsers and programs are taken out as they are: connections for "
                "which something is on its way may be aborted",
                status.error().message());
    }
    if (auto status = Pins::remove(options.pin); !status)
        return status;
    for (const char* suffix : {kPoliciesSuffix, kParsersSuffix, ".lock"})
        unlink((options.socket + suffix).c_str());
    spdlog::info("nothing of librad is left in the kernel");
    return Ok{};
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"librad: attaches Libra to the TCP connections that its policies name"};
    app.set_version_flag("--version", LIBRA_VERSION);
    app.add_option("--config", options.config, "policies that are in force from the beginning");
    app.add_option("--socket", options.socket, "control socket")->capture_default_str();
    app.add_option("--group", options.group, "members may look; without it only root")
        ->capture_default_str();
    app.add_option("--parser", options.parsers,
                   "parser to load: one that is built in, or a file (with a / in it); repeatable")
        ->allow_extra_args(false)
        ->capture_default_str();
    app.add_option("--pin", options.pin,
                   "directory in a BPF file system: policies stay in force when librad ends");
    app.add_flag("--remove", options.remove,
                 "with --pin: end all that stayed in force, and do nothing else");
    app.add_flag("--foreground", options.foreground, "stay in the foreground, log to stderr");
    app.add_flag("--verbose", options.verbose, "log what libbpf and the verifier say");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
    }

    log_to_stderr(options.verbose);
    capture_libbpf_log();
    const auto status = options.remove ? remove_all(options) : serve(options);
    if (!status) {
        spdlog::error("{}", status.error().message());
        return EXIT_FAILURE;
    }
    if (!options.remove)
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
