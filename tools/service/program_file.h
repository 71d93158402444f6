// SPDX-License-Identifier: GPL-2.0-only
// Does the dynamic linker heed LD_PRELOAD for this program?
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "error.h"

namespace libra::service {

// The program that a command names, looked for in PATH as execvp() does.
Result<std::filesystem::path> find_program(const std::string& name);

struct Starter {
    uid_t uid = 0;
    gid_t gid = 0;
};

// Not for static programs, those of other C libraries or processors, and those that gain rights
// when he executes them. For a script its interpreter is what counts.
Status takes_preload(const std::filesystem::path& program, Starter starter);

// A shared library for this processor.
Status is_library(const std::filesystem::path& path);

}  // namespace libra::service
