// SPDX-License-Identifier: GPL-2.0-only
// Pages in a pipe, by vmsplice(): the very pages, so that what is written to the memory
// later is seen there, as long as they are not taken from their addresses.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "link.h"
#include "lot.h"

namespace libra::test {

// All forks of a process, in whatever thread.
struct Forks {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> done{0};
};

class Pin {
  public:
    Pin(const Range& range, const Forks& forks, int patience);

    bool expired() { return patience_-- <= 0; }
    // These pages are about to be taken from their addresses.
    void detach(const Range& range);
    // Reads the pipe, and compares.
    void release();

  private:
    Range range_;  // of no lot when all of it was detached
    // A fork makes copies of private memory, and then the pipe has the old or the new ones.
    bool private_;
    const Forks& forks_;
    std::uint64_t forks_before_;
    int patience_;
    Fd pipe_;
    std::string kept_;          // what was detached, as it was then
    std::vector<bool> frozen_;  // by byte
};

}  // namespace libra::test
