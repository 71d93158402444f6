// SPDX-License-Identifier: GPL-2.0-only
// For commands that go on until somebody ends them.
#pragma once

#include <chrono>

#include "error.h"
#include "unique_fd.h"

namespace libra {

// While it lives, SIGINT, SIGTERM and SIGHUP are asked for here and end nothing by themselves,
// so that what was set up is taken down; a reader of the output that goes is an error of print().
class EndSignals {
  public:
    static Result<EndSignals> create();

    enum class Woken { end, time, readable };
    // @fd: what to wait for as well, or -1
    Woken wait(std::chrono::milliseconds time, int fd = -1) const;

  private:
    explicit EndSignals(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

// Out with what was printed. False: nobody reads it any more.
bool flush_output();

}  // namespace libra
