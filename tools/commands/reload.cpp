// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>

#include "commands.h"
#include "report.h"

namespace libra {

Run add_reload(CLI::App&) {
    return [](const Session& session) {
        return ask_librad(session, ReloadRequest{},
                          [](const Json& answer) { fmt::print("{}", report_changes(answer)); });
    };
}

}  // namespace libra
