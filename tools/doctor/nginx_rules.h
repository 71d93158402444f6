// SPDX-License-Identifier: GPL-2.0-only
// What in nginx's configuration makes token mode unsafe, or either mode slow. A rule is a row of
// a table, and has a row in tests/nginx_cases.cpp.
#pragma once

#include <span>

#include "nginx_place.h"
#include "rule.h"

namespace libra::doctor {

struct NginxRule {
    Rule rule;
    unsigned kinds;  // of the places that it is about
    Hits (*look)(const NginxPlace& place);
    std::string (*cost)(const NginxPlace& place) = nullptr;
};

std::span<const NginxRule> nginx_unsafe_rules();
std::span<const NginxRule> nginx_slow_rules();

std::vector<Finding> check_nginx(const NginxConfig& config);

}  // namespace libra::doctor
