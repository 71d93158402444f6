// SPDX-License-Identifier: GPL-2.0-only
// Names of services as systemd allows them. They become parts of paths.
#pragma once

#include <string>
#include <string_view>

#include "error.h"

namespace libra::service {

// With ".service" where no type is named. Refuses what is no service, or no name at all.
Result<std::string> service_name(std::string_view text);

// Text of others, for a message: what no terminal should get is shown as "?".
std::string shown(std::string_view text);

}  // namespace libra::service
