// SPDX-License-Identifier: GPL-2.0-only
// librad as a process among others: its signals, its time, its terminal and its log.
#pragma once

#include "error.h"
#include "unique_fd.h"

namespace libra {

// What ends librad, or has it read its configuration, becomes an event: from before anything
// is attached, because an end that is not in order may cost connections.
Result<UniqueFd> watch_signals();

// The one that came, or 0.
int next_signal(const UniqueFd& signals);

Result<UniqueFd> every_second();

// Logs to standard error: with levels that the journal knows, if that is where it goes.
void log_to_stderr(bool verbose);

// Goes on in a child without a terminal, which logs to syslog; the parent leaves. Called once
// the socket is served, so that the exit status says whether librad works.
Status go_to_background();

}  // namespace libra
