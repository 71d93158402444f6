// SPDX-License-Identifier: GPL-2.0-only
#include "notify.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <algorithm>
#include <cstdint>

namespace libra {

void notify_ready() {
    sd_notify(0, "READY=1");
}

void notify_status(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');  // each line is another variable
    sd_notify(0, ("STATUS=" + text).c_str());
}

void notify_reloading() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1000000 +
                              static_cast<std::uint64_t>(now.tv_nsec) / 1000;
    sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds).c_str());
}

void notify_stopping() {
    sd_notify(0, "STOPPING=1");
}

void notify_alive() {
    sd_notify(0, "WATCHDOG=1");
}

}  // namespace libra
