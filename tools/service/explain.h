// SPDX-License-Identifier: GPL-2.0-only
// What cannot be attached where it runs, nor detached: a process, a container, a bare cgroup. What
// to write, and where, for the next time that it is started.
#pragma once

#include <string>
#include <vector>

#include "drop_in.h"
#include "error.h"
#include "host.h"
#include "protocol.h"
#include "target.h"

namespace libra::service {

struct Explanation {
    std::string why;                 // one sentence
    std::vector<std::string> lines;  // to be typed or written, as they are
    Json json;
};

Result<Explanation> explain(const Host& host, const Target& target, const Wishes& wishes);

Result<Explanation> explain_detach(const Host& host, const Target& target, const Wishes& wishes);

// The same of a service of systemctl --user.
Explanation explain_user_service(const std::string& name, const Wishes& wishes);
Explanation explain_user_detach(const std::string& name, const Wishes& wishes);

}  // namespace libra::service
