// SPDX-License-Identifier: GPL-2.0-only
// What in a service's configuration costs lazy mode its gain: the findings of doctor
// (tools/doctor), of this service alone.
#pragma once

#include <string>
#include <vector>

#include "drop_in.h"
#include "host.h"
#include "protocol.h"
#include "unit.h"

namespace libra::service {

struct Tuning {
    std::string text;           // without a newline at its end
    Json json = Json::array();  // as proxies[] of doctor --json
};

// Both are empty for what doctor does not know. Of a service without processes it is the
// configuration that its program has by default.
Tuning tuning_of(const Host& host, const Unit& unit, const std::vector<pid_t>& processes,
                 const Wishes& wishes);

}  // namespace libra::service
