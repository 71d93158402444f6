// SPDX-License-Identifier: GPL-2.0-only
// What systemd is told (sd_notify(3)). Without systemd nobody listens, and nothing is said.
#pragma once

#include <string>

namespace libra {

void notify_ready();
// One line for systemctl status; empty: nothing is amiss.
void notify_status(std::string text);
void notify_reloading();
void notify_stopping();
// To be called more often than the unit's WatchdogSec=: librad is alive.
void notify_alive();

}  // namespace libra
