// SPDX-License-Identifier: GPL-2.0-only
// The nginx and HAProxy of this machine: those that run, and those that are only installed.
// Nothing is executed: what runs under these names may be anybody's.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "machine.h"

namespace libra::doctor {

struct Proxy {
    std::string program;                     // nginx or haproxy
    int pid = 0;                             // of its master; 0: it does not run
    std::vector<int> processes;              // the master and its children
    std::vector<std::string> configuration;  // what is to be read; none: see note
    std::string note;                        // why its configuration is not read

    std::string title() const;
};

// What a master's command line says; exposed for tests. Paths are as they would be opened from
// the working directory.
std::string nginx_configuration(const std::vector<std::string>& arguments,
                                const std::string& working_directory,
                                const std::string& built_in_path,
                                const std::string& built_in_prefix);
std::vector<std::string> haproxy_configuration(const std::vector<std::string>& arguments,
                                               const std::string& working_directory);

// The value of an option of configure's, which nginx keeps as text: --conf-path=PATH.
std::string configured(std::string_view binary, std::string_view option);

// reader: who asks.
std::vector<Proxy> find_proxies(const Machine& machine, uid_t reader);

}  // namespace libra::doctor
