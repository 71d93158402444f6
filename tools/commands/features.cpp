// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include <cstdio>

#include "commands.h"
#include "doctor/doctor_report.h"

namespace libra {

Run add_features(CLI::App&) {
    return [](const Session& session) -> int {
        const doctor::Machine machine;
        if (session.json)
            fmt::print("{}\n", doctor::json_features(machine));
        else
            fmt::print("{}", doctor::text_features(machine, is_for_people(stdout)));
        return kOk;
    };
}

}  // namespace libra
