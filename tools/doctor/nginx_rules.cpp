// SPDX-License-Identifier: GPL-2.0-only
#include "nginx_rules.h"

namespace libra::doctor {
namespace {

// @ stands for the module whose handler the place has.
std::string for_module(const char* text, std::string_view module) {
    std::string out;
    for (const char* c = text; *c; ++c) {
        if (*c == '@')
            out += module;
        else
            out += *c;
    }
    return out;
}

void check(std::span<const NginxRule> rules, const NginxPlace& place, Findings& findings) {
    for (const NginxRule& rule : rules) {
        if (!(rule.kinds & place.kind))
            continue;
        for (Hit& hit : rule.look(place))
            findings.add(rule.rule, std::move(hit), for_module(rule.rule.instead, place.module()),
                         rule.cost ? rule.cost(place) : "", {place.self().at, place.self().text()});
    }
}

}  // namespace

std::vector<Finding> check_nginx(const NginxConfig& config) {
    Findings findings;
    for (const NginxPlace& place : nginx_places(config)) {
        check(nginx_unsafe_rules(), place, findings);
        check(nginx_slow_rules(), place, findings);
    }
    return findings.take();
}

}  // namespace libra::doctor
