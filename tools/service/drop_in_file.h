// SPDX-License-Identifier: GPL-2.0-only
// Where the drop-in of a service lies, if there is one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "error.h"
#include "host.h"

namespace libra::service {

struct DropInFile {
    std::filesystem::path path;
    std::string text;
};

std::filesystem::path drop_in_path(const Host& host, const std::string& unit, bool runtime);

// Of /etc, or of /run. Refuses one that is not as libractl wrote it.
Result<std::optional<DropInFile>> find_drop_in(const Host& host, const std::string& unit);

}  // namespace libra::service
