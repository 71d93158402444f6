// SPDX-License-Identifier: GPL-2.0-only
// What Libra counted between two moments, as far as it says how payload fared.
#pragma once

#include <nlohmann/json.hpp>

#include "common/counters.h"

namespace libra::test {

inline nlohmann::ordered_json counted(const Counters& before, const Counters& after) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    for (const char* name : {"anchors_minted", "anchors_redeemed", "anchors_reclaimed",
                             "anchors_expired", "tx_redeemed_bytes"})
        if (after.count(name) != 0)
            out[name] = after.at(name) - before.at(name);
    for (const auto& [name, value] : after)
        if ((name.starts_with("fail_stop") || name.starts_with("fallback_")) &&
            value != before.at(name))
            out[name] = value - before.at(name);
    return out;
}

}  // namespace libra::test
