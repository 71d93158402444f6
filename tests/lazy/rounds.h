// SPDX-License-Identifier: GPL-2.0-only
// Memory that is received into over and over, seen by others meanwhile: each byte they
// see is of a round that was under way, or of the last one before.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "frame.h"
#include "pattern.h"

namespace libra::test {

// Shared with children, too.
class Rounds {
  public:
    Rounds() {
        void* memory = ::mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        require_call(memory != MAP_FAILED, "mmap");
        state_ = new (memory) State;
    }
    Rounds(const Rounds&) = delete;
    Rounds& operator=(const Rounds&) = delete;
    ~Rounds() { ::munmap(state_, sizeof(State)); }

    // Round k receives stream k; round 0 is zeros.
    void begin(std::uint64_t round) { state_->started = round; }
    void end(std::uint64_t round) { state_->done = round; }
    void stop() { state_->over = true; }
    bool over() const { return state_->over; }
    std::uint64_t started() const { return state_->started; }
    std::uint64_t done() const { return state_->done; }

    // look() copies what is to be seen; true if it could be told.
    template <typename Look>
    bool require_old_or_new(const std::string& seen, std::uint64_t position, Look look,
                            const std::string& what) const {
        const std::uint64_t low = state_->done;
        look();
        return check(seen, position, low, state_->started, what);
    }

    static bool check(const std::string& seen, std::uint64_t position, std::uint64_t low,
                      std::uint64_t high, const std::string& what) {
        if (high - low > 8)
            return false;
        std::vector<std::string> allowed;
        for (std::uint64_t round = low; round <= high; ++round)
            allowed.push_back(round == 0 ? std::string(seen.size(), '\0')
                                         : pattern(seen.size(), round, position));
        for (std::size_t at = 0; at < seen.size(); ++at) {
            bool good = false;
            for (const std::string& one : allowed)
                good = good || one[at] == seen[at];
            require(good, what + ": byte " + std::to_string(at) +
                              " is neither old nor new, rounds " + std::to_string(low) + " to " +
                              std::to_string(high));
        }
        return true;
    }

  private:
    struct State {
        std::atomic<std::uint64_t> started{0};
        std::atomic<std::uint64_t> done{0};
        std::atomic<bool> over{false};
    };
    State* state_;
};

}  // namespace libra::test
