// SPDX-License-Identifier: GPL-2.0-only
// A service that has token policies as well: is there a listener of its that they leave out?
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "host.h"
#include "protocol.h"

namespace libra::service {

struct LeftOut {
    std::uint32_t domain = 0;
    std::vector<std::string> listeners;
};

// By domain. Of librad's status and these processes.
std::vector<LeftOut> left_out_by_policies(const Host& host, const Json& status,
                                          const std::vector<pid_t>& pids);

std::string words_for(const LeftOut& left_out);

}  // namespace libra::service
