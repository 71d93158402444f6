// SPDX-License-Identifier: GPL-2.0-only
// What this kernel and its Libra can do, and why not. A feature is a row of a table.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "machine.h"

namespace libra::doctor {

struct Answer {
    bool is_there = false;
    std::string why;  // or what there is to know of it; may be ""
};

struct Feature {
    const char* id;
    const char* what;
    Answer (*look)(const Machine& machine);
};

std::span<const Feature> features();

}  // namespace libra::doctor
