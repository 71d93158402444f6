// SPDX-License-Identifier: GPL-2.0-only
// Words as systemctl prints them, and as unit files have them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace libra::service {

// Words apart, of which some are in "..." or $'...', with backslashes in them.
std::vector<std::string> unquote_words(std::string_view text);

// One word of a unit file, with nothing in it that systemd would take for more than itself.
std::string quote_for_unit(std::string_view word);

}  // namespace libra::service
