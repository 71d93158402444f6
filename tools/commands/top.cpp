// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "interval.h"
#include "native_sample.h"
#include "top_view.h"

namespace libra {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
    double interval = 1;
    double sample = 0;
    bool once = false;
    std::size_t count = 0;
};

// Reads that are under way, and what they left in memory, are of the time before.
constexpr Seconds kSettle(0.5);

constexpr std::size_t kPlainWidth = 80;

std::chrono::milliseconds milliseconds(Seconds time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time);
}

Result<Moment> moment() {
    Moment now;
    now.seconds = Seconds(Clock::now().time_since_epoch()).count();
    now.facts = gather_facts(Depth::sockets);
    if (!now.facts.loaded)
        return Error("libra.ko is not loaded", ENOENT);
    auto usage = read_usage(proxies_of(now.facts));
    if (!usage)
        return usage.error();
    now.usage = std::move(*usage);
    return now;
}

class Screen {
  public:
    Screen() : terminal_(isatty(STDOUT_FILENO) != 0) {}

    void show(const TopView& view, const std::optional<NativeSample>& sample) const {
        winsize size{};
        if (!terminal_ || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row) {
            fmt::print("{}\n", render_top(view, sample, kPlainWidth, 0));
            return;
        }
        std::string text = render_top(view, sample, size.ws_col, size.ws_row - 1U);
        // Overwritten line by line: what is cleared first flickers.
        for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 4)
            text.replace(at, 1, "\x1b[K\n");
        fmt::print("\x1b[H{}\x1b[J", text);
    }

  private:
    bool terminal_;
};

// One window of a sample. Nothing: a signal asked for the end.
Result<std::optional<Cost>> measure(const EndSignals& signals, const std::vector<pid_t>& pids,
                                    Seconds time) {
    const auto before = read_usage(pids);
    if (!before)
        return before.error();
    if (signals.wait(milliseconds(time)) == EndSignals::Woken::end)
        return std::optional<Cost>();
    const auto now = read_usage(pids);
    if (!now)
        return now.error();
    Cost cost;
    cost.add(*before, *now);
    return std::optional(cost);
}

void add(Cost& sum, const Cost& cost) {
    sum.cpu_seconds += cost.cpu_seconds;
    sum.bytes += cost.bytes;
}

// Half with Libra, all without, half with it: a load that grows or falls evenly cancels out.
Result<std::optional<NativeSample>> take_sample(const EndSignals& signals, Seconds time) {
    const std::optional<NativeSample> ended;
    // The same ones each time: what is compared is not who happened to have a connection.
    const auto pids = proxies_of(gather_facts(Depth::sockets));
    Cost with;
    const auto first = measure(signals, pids, time / 2);
    if (!first)
        return first.error();
    if (!*first)
        return ended;
    add(with, **first);
    std::optional<Cost> without;
    {
        const auto off =
            SwitchedOff::begin({"/proc/sys/net/libra/lazy", "/proc/sys/net/libra/enabled"});
        if (!off)
            return off.error();
        if (signals.wait(milliseconds(kSettle)) == EndSignals::Woken::end)
            return ended;
        const auto native = measure(signals, pids, time);
        if (!native)
            return native.error();
        without = *native;
    }
    if (!without || signals.wait(milliseconds(kSettle)) == EndSignals::Woken::end)
        return ended;
    const auto second = measure(signals, pids, time / 2);
    if (!second)
        return second.error();
    if (!*second)
        return ended;
    add(with, **second);
    const auto used = with.cpu_per_gb();
    const auto native = without->cpu_per_gb();
    // A load that ended meanwhile leaves one of them empty.
    const auto before = (*first)->cpu_per_gb();
    const auto after = (*second)->cpu_per_gb();
    if (!used || !native || !before || !after)
        return Error("too little was forwarded to compare: sample longer, or under load", ENODATA);
    return std::optional(NativeSample{*used, *native, time.count(), *before, *after});
}

int watch(const Session& session, const Options& options, const EndSignals& signals) {
    std::optional<NativeSample> sample;
    if (options.sample > 0) {
        const auto taken = take_sample(signals, Seconds(options.sample));
        if (!taken)
            return fail(session, taken.error().code() == ENODATA ? kRefused : kUnreachable,
                        taken.error());
        if (!*taken)
            return kOk;
        sample = *taken;
    }
    auto before = moment();
    if (!before)
        return fail(session, kUnreachable, before.error());
    const Screen screen;
    const std::size_t count = options.once ? 1 : options.count;
    for (std::size_t shown = 0; !count || shown < count; ++shown) {
        if (signals.wait(milliseconds(Seconds(options.interval))) == EndSignals::Woken::end)
            return kOk;
        auto now = moment();
        if (!now)
            return fail(session, kUnreachable, now.error());
        const auto view = top_view(*before, *now);
        if (session.json)
            fmt::print("{}", to_line(top_json(view, sample)));
        else
            screen.show(view, sample);
        if (!flush_output())
            return kOk;
        before = std::move(now);
    }
    return kOk;
}

}  // namespace

Run add_top(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command.add_option("--interval", options->interval, "seconds between two looks")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0));
    command
        .add_option("--sample", options->sample,
                    "first keep nothing in the kernel for so many seconds, and compare")
        ->check(CLI::Range(1.0, 3600.0));
    auto* once = command.add_flag("--once", options->once, "one look, and end");
    command.add_option("--count", options->count, "end after so many looks")->excludes(once);
    return [options](const Session& session) -> int {
        const auto signals = EndSignals::create();
        return signals ? watch(session, *options, *signals)
                       : fail(session, kUnreachable, signals.error());
    };
}

}  // namespace libra
