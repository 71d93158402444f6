// SPDX-License-Identifier: GPL-2.0-only
// What keeps a proxy that runs from lazy mode: its environment, limits and cgroup.
#pragma once

#include "proxies.h"
#include "system_checks.h"

namespace libra::doctor {

// In lazy mode only: token mode asks nothing of the process.
std::vector<CheckResult> check_processes(const Machine& machine, const Proxy& proxy);

}  // namespace libra::doctor
