// SPDX-License-Identifier: GPL-2.0-only
// Pages in a pipe, by vmsplice(): the very pages, so that what is written to the memory
// later is seen there, as long as they are not taken from their addresses.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "link.h"
#include "lot.h"

namespace libra::test {

class Pin {
  public:
    Pin(const Range& range, int patience);

    bool expired() { return patience_-- <= 0; }
    // These pages are about to be taken from their addresses.
    void detach(const Range& range);
    // Reads the pipe, and compares.
    void release();

  private:
    Range range_;  // of no lot when all of it was detached
    // A fork, or reclaim, lets go of pages of private memory that a pipe has: what the pipe
    // has then, nobody promises.
    bool private_;
    int patience_;
    Fd pipe_;
    std::string kept_;          // what was detached, as it was then
    std::vector<bool> frozen_;  // by byte
};

}  // namespace libra::test
