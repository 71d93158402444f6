// SPDX-License-Identifier: GPL-2.0-only
// libra-lazy-model: threads and children do at random to payload memory whatever can be
// done to it, and to a model in ordinary memory that knows every byte. In TAP.
#include <linux/libra_memory.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <sstream>

#include "counted.h"
#include "frame.h"
#include "world.h"

namespace libra::test {
namespace {

// That it was about what it is meant to be about.
class Proof {
  public:
    explicit Proof(bool feedback) : feedback_(feedback) {}

    // Whole pages alone would add up to whole pages.
    void sample() { parts_ = parts_ || received_() % static_cast<std::int64_t>(kPage) != 0; }

    void require_much(const World& world) const {
        const auto moved = [](const Moved& it) { return static_cast<std::uint64_t>(it()); };
        std::ostringstream text;
        text << "received " << world.fresh_bytes << " bytes, lazily " << received_() << "; sent "
             << world.sent_bytes << ", spliced " << sent_() << "; filled " << looks_() << " and "
             << kernel_looks_() << " pages, took away " << unmaps_() << ", wrote " << pinned_()
             << " that were held; pins " << world.pins << ", forks " << world.forks;
        std::cout << "# " << text.str() << std::endl;
        // Feedback copies what is looked at so often.
        const std::uint64_t share = feedback_ ? 8 : 4;
        require(moved(received_) > world.fresh_bytes / share &&
                    moved(sent_) > world.sent_bytes / (4 * share) && looks_() > 0 &&
                    kernel_looks_() > 0 && unmaps_() > 0 && pinned_() > 0 && parts_,
                "it proves little: " + text.str());
    }

  private:
    bool feedback_;
    bool parts_ = false;
    Moved received_{"lazy_rx_bytes"};
    Moved sent_{"lazy_tx_bytes"};
    Moved looks_{"lazy_fills_user"};
    Moved kernel_looks_{"lazy_fills_kernel"};
    Moved unmaps_{"lazy_unmaps"};
    Moved pinned_{"fallback_lazy_pinned"};
};

void walk(std::size_t threads, bool feedback) {
    std::optional<Sysctl> sysctl;
    std::optional<Proof> proof;
    if (!setting().plain) {
        sysctl.emplace("lazy_feedback", feedback);
        proof.emplace(feedback);
    }
    World world(threads, plan().seed);
    world.now_and_then = [&] {
        if (proof)
            proof->sample();
    };
    world.run(plan().operations);
    if (proof)
        proof->require_much(world);
}

CASE(one_thread) {
    walk(1, false);
}

CASE(one_thread_feedback) {
    walk(1, true);
}

CASE(threads) {
    walk(plan().threads, false);
}

CASE(threads_feedback) {
    walk(plan().threads, true);
}

}  // namespace
}  // namespace libra::test

int main(int argc, char** argv) {
    using libra::test::plan;
    using libra::test::setting;

    CLI::App app("Checks payload memory (/dev/libra) against a model that knows every byte.");
    std::string only;
    app.add_flag("--plain", setting().plain, "use ordinary memory: checks the model itself");
    app.add_option("--seed", plan().seed, "of all that is done; one thread does it again exactly");
    app.add_option("--operations", plan().operations, "in each case");
    app.add_option("--threads", plan().threads, "in the cases with several")
        ->check(CLI::Range(1, 64));
    app.add_option("--time-limit", setting().time_limit, "seconds for each case");
    app.add_option("--only", only, "run the cases with this in their name");
    CLI11_PARSE(app, argc, argv);

    if (!setting().plain &&
        (::access(LIBRA_DEVICE, R_OK | W_OK) != 0 || !libra::test::counters_exist())) {
        std::cerr << "libra-lazy-model: " LIBRA_DEVICE ": " << std::strerror(errno)
                  << ": load the module, or use --plain\n";
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    std::cout << "# seed " << plan().seed << ", " << plan().operations << " operations a case"
              << std::endl;
    return libra::test::run_cases(only);
}
