// SPDX-License-Identifier: GPL-2.0-only
// libra-lazy: what payload memory (/dev/libra) promises, case by case, in TAP.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <string>

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
    ::signal(SIGPIPE, SIG_IGN);
    return libra::test::run_cases(only);
}
