// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <csignal>

namespace libra::service {

// While one lives, who interrupts waits: nothing is left half done.
class SignalsHeld {
  public:
    SignalsHeld() {
        sigset_t signals;
        sigemptyset(&signals);
        for (const int each : {SIGINT, SIGTERM, SIGHUP})
            sigaddset(&signals, each);
        sigprocmask(SIG_BLOCK, &signals, &before_);
    }
    ~SignalsHeld() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

  private:
    sigset_t before_{};
};

}  // namespace libra::service
