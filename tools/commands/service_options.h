// SPDX-License-Identifier: GPL-2.0-only
// What attach and detach have in common where they are about a service, and not about a policy.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "command.h"

namespace libra {

struct ServiceOptions {
    std::string target;
    std::string library;        // empty: where it is installed
    std::size_t min_block = 0;  // 0: not named
    unsigned wait = 10;
    bool restart = false;
    bool no_restart = false;
    bool dry_run = false;
    bool runtime = false;
    bool user = false;
    std::vector<CLI::Option*> all;  // but the target
};

CLI::Option* add_service_options(CLI::App& command, ServiceOptions& options,
                                 const std::string& name, const std::string& description);

void add_attach_only_options(CLI::App& command, ServiceOptions& options);

// Those of a service, where none is named.
void refuse_options_without_target(const ServiceOptions& options);

// Both return an Exit.
int attach_target(const Session& session, const ServiceOptions& options);
int detach_target(const Session& session, const ServiceOptions& options);

// --library and --min-block, which run has as well.
void add_preload_options(CLI::App& command, std::string& library, std::size_t& min_block,
                         std::vector<CLI::Option*>& all);

}  // namespace libra
