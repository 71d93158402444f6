// SPDX-License-Identifier: GPL-2.0-only
// A program that is started with payload memory, by whoever starts it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "drop_in.h"
#include "error.h"
#include "host.h"

namespace libra::service {

struct Launch {
    std::filesystem::path program;
    std::vector<std::pair<std::string, std::string>> environment;  // beside what is there
};

// Refuses what would start, and have no payload memory: the error says what is in the way.
Result<Launch> plan_launch(const Host& host, const Wishes& wishes, bool verbose,
                           const std::vector<std::string>& command);

// Becomes the program; or says why not.
Error execute(const Launch& launch, const std::vector<std::string>& command);

}  // namespace libra::service
