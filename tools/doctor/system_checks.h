// SPDX-License-Identifier: GPL-2.0-only
// Whether this machine is able, and what keeps it from that. A check is a row of a table, and
// has its tests in tests/test_system_checks.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "error.h"
#include "machine.h"

namespace libra::doctor {

// Bits: what a check is about.
enum Mode : unsigned { kLazy = 1, kToken = 2, kBoth = 3 };

enum class State {
    ok,
    note,  // it works, and there is something to know
    bad,   // this mode does not work, or is not safe
};
const char* name_of(State state);

struct Verdict {
    State state = State::ok;
    std::string says;
    std::string mend;  // a command, or what to write; may be ""
};

struct Surroundings {
    Machine machine;
    unsigned modes = kBoth;  // that are asked for
    std::function<Status()> reach_librad;
};

struct Check {
    const char* id;
    unsigned modes;
    // Nothing where the question does not arise.
    std::vector<Verdict> (*look)(const Surroundings& around);
};

std::span<const Check> system_checks();

struct CheckResult {
    const char* id;
    Verdict verdict;
};

// Those that are about the modes that are asked for.
std::vector<CheckResult> check_system(const Surroundings& around);

}  // namespace libra::doctor
