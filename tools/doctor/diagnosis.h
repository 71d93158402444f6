// SPDX-License-Identifier: GPL-2.0-only
// All of what doctor finds, and what follows from it.
#pragma once

#include <string>
#include <vector>

#include "proxies.h"
#include "rule.h"
#include "system_checks.h"

namespace libra::doctor {

struct Question {
    unsigned modes = kBoth;
    bool anchor_requests = false;
    bool system = true;
    bool proxies = true;
    // Instead of those that are installed or run.
    std::vector<std::string> nginx;    // each a configuration, or what nginx -T printed of one
    std::vector<std::string> haproxy;  // one configuration

    // What is to be told of what the rules are about.
    unsigned concerns() const;
};

struct ProxyReport {
    Proxy proxy;
    std::vector<std::string> files;
    std::vector<std::string> problems;
    std::vector<CheckResult> checks;
    std::vector<Finding> findings;  // those asked for, unsafe ones first
    bool forwards = false;          // something in it has an upstream
};

struct Diagnosis {
    std::vector<CheckResult> system;
    std::vector<ProxyReport> proxies;
    std::size_t unasked = 0;  // findings that are unsafe with --anchor-requests only

    bool is_broken() const;   // something does not work, or is not safe
    bool is_partial() const;  // something could not be read
};

Diagnosis diagnose(const Question& question, const Surroundings& around);

}  // namespace libra::doctor
