// SPDX-License-Identifier: GPL-2.0-only
// For each rule, by its id, a configuration that breaks it, with the lines that have to be named,
// and one that does not.
#pragma once

#include <string>
#include <vector>

namespace libra::doctor {

struct Case {
    const char* id;
    std::string bad;
    std::vector<unsigned> lines;
    std::string good;
};

std::vector<Case> nginx_cases();
std::vector<Case> haproxy_cases();

}  // namespace libra::doctor
