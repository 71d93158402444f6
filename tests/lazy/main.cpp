// SPDX-License-Identifier: GPL-2.0-only
// libra-lazy: what payload memory (/dev/libra) promises, case by case, in TAP.
#include <linux/libra_memory.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>

#include "common/counters.h"
#include "counted.h"
#include "frame.h"

int main(int argc, char** argv) {
    using libra::test::setting;

    CLI::App app("Checks that payload memory (/dev/libra) behaves as private memory does.");
    std::string only;
    bool list = false;
    app.add_flag("--plain", setting().plain, "use ordinary memory: checks the cases themselves");
    app.add_flag("--long", setting().long_run, "longer races");
    app.add_option("--time-limit", setting().time_limit, "seconds for each case");
    app.add_option("--only", only, "run the cases with this in their name");
    app.add_flag("--list", list, "print the names of the cases, and run none");
    CLI11_PARSE(app, argc, argv);

    if (list) {
        libra::test::list_cases();
        return 0;
    }
    if (!setting().plain &&
        (::access(LIBRA_DEVICE, R_OK | W_OK) != 0 || !libra::test::counters_exist())) {
        std::cerr << "libra-lazy: " LIBRA_DEVICE ": " << std::strerror(errno)
                  << ": load the module, or use --plain\n";
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    // Cases look at what they receive, over and over: it is to be lazy all the same.
    std::optional<libra::test::Sysctl> feedback;
    // ... and to stay so, however slow the machine is.
    std::optional<libra::test::Sysctl> tidy;
    if (!setting().plain) {
        feedback.emplace("lazy_feedback", 0);
        tidy.emplace("lazy_tidy_ms", 0);
    }
    return libra::test::run_cases(only);
}
