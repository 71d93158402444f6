// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <vector>

#include "explain.h"

namespace libra {

// Of a connection of a process that has payload memory.
Verdict explain_lazy(const Facts& facts, const PayloadProcess& process, const TcpSocket& connection,
                     std::vector<Finding>& findings);

}  // namespace libra
