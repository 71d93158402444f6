// SPDX-License-Identifier: GPL-2.0-only
// What commands.cpp lists: see Command::add.
#pragma once

#include "command.h"

namespace libra {

Run add_attach(CLI::App& command);
Run add_checked(CLI::App& command);
Run add_config(CLI::App& command);
Run add_detach(CLI::App& command);
Run add_doctor(CLI::App& command);
Run add_explain(CLI::App& command);
Run add_features(CLI::App& command);
Run add_off(CLI::App& command);
Run add_on(CLI::App& command);
Run add_reload(CLI::App& command);
Run add_resume(CLI::App& command);
Run add_parser(CLI::App& command);
Run add_run(CLI::App& command);
Run add_stats(CLI::App& command);
Run add_status(CLI::App& command);
Run add_top(CLI::App& command);
Run add_trace(CLI::App& command);

}  // namespace libra
