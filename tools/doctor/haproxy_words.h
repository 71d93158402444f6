// SPDX-License-Identifier: GPL-2.0-only
// A line of HAProxy's configuration, cut into words as HAProxy cuts it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace libra::doctor {

// Quotes and escapes are undone; environment variables stay as they are written. Empty for an
// empty line and a comment.
Result<std::vector<std::string>> split_haproxy_line(std::string_view line);

}  // namespace libra::doctor
