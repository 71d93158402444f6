// SPDX-License-Identifier: GPL-2.0-only
// What a restart of a service costs, and the restart.
#pragma once

#include <string>
#include <vector>

#include "steps.h"
#include "unit.h"

namespace libra::service {

// One sentence each.
std::vector<std::string> restart_means(const Unit& unit, std::size_t processes,
                                       std::size_t connections);

// Says what it means, and asks if that was left open.
bool wants_restart(const Context& context, const Unit& unit, const Choices& choices);

// Done when it runs again.
Status restart(const Context& context, const Unit& unit);

// Does it run, for more than a moment?
Status runs(const Systemctl& systemd, const std::string& name);

}  // namespace libra::service
