// SPDX-License-Identifier: GPL-2.0-only
// Files in which librad keeps something for the next one.
#pragma once

#include <string>
#include <string_view>

#include "error.h"

namespace libra {

// All of it, or what was there before.
Status write_kept(const std::string& path, std::string_view text);

// ENOENT if there is none.
Result<std::string> read_kept(const std::string& path);

}  // namespace libra
