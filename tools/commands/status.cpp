// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include "commands.h"
#include "report.h"

namespace libra {

Run add_status(CLI::App&) {
    return [](const Session& session) {
        return ask_librad(session, StatusRequest{},
                          [](const Json& answer) { fmt::print("{}", report_status(answer)); });
    };
}

}  // namespace libra
