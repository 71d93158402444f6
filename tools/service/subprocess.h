// SPDX-License-Identifier: GPL-2.0-only
// Programs that are asked: systemctl, docker, podman. No shell reads their arguments.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "error.h"

namespace libra::service {

struct Output {
    int status = 0;  // 128 and more: the signal that ended it
    std::string out;
    std::string err;

    // What it said of a failure, without the newline; or that it said nothing.
    std::string complaint() const;
};

// Fails with ENOENT where there is no such program, and with ETIMEDOUT, after its end, where
// it took longer.
Result<Output> run_program(const std::vector<std::string>& command, std::chrono::seconds limit);

}  // namespace libra::service
