// SPDX-License-Identifier: GPL-2.0-only
// What in HAProxy's configuration makes token mode unsafe, or either mode slow. A rule is a row
// of a table, and has a row in tests/haproxy_cases.cpp.
#pragma once

#include <span>

#include "haproxy_config.h"
#include "rule.h"

namespace libra::doctor {

struct HaproxyRule {
    Rule rule;
    Hits (*look)(const HaproxyPlace& place);
    std::string (*cost)(const HaproxyPlace& place) = nullptr;
};

std::span<const HaproxyRule> haproxy_rules();

std::vector<Finding> check_haproxy(const HaproxyConfig& config);

}  // namespace libra::doctor
