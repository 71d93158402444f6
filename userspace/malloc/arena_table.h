// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arena.h"

namespace libra::memory {

// From an address to its arena, without a lock and in constant time: every free()
// of the process asks. An arena is one aligned slice of the address space, so a
// table of all slices will do; what is never asked about costs no page.
//
// add() and remove() under the heap's lock. Who looks a live block up needs none:
// its arena does not go away, and the slice of any other address is not its arena's.
class ArenaTable {
  public:
    static constexpr std::size_t kMaxArenas = 4096;

    constexpr ArenaTable() = default;

    Arena* find(const void* pointer) const {
        const std::uintptr_t slice = reinterpret_cast<std::uintptr_t>(pointer) >> kArenaShift;
        if (slice >= kSlices)
            return nullptr;
        const unsigned number = __atomic_load_n(&slices_[slice], __ATOMIC_ACQUIRE);
        return number ? at(number - 1) : nullptr;
    }

    // All arenas have a place below size(); some places are empty.
    std::size_t size() const { return size_; }
    Arena* at(std::size_t place) const { return arenas_[place].load(std::memory_order_relaxed); }

    bool add(Arena* arena);
    void remove(Arena* arena);

  private:
#ifdef __x86_64__
    static constexpr unsigned kAddressBits = 47;
#else
    static constexpr unsigned kAddressBits = 48;
#endif
    static constexpr std::size_t kSlices = std::size_t{1} << (kAddressBits - kArenaShift);

    std::size_t size_ = 0;
    std::array<std::atomic<Arena*>, kMaxArenas> arenas_{};
    // Place + 1. Not std::atomic, of which no compiler makes two million at its leisure.
    std::array<std::uint16_t, kSlices> slices_{};
};

}  // namespace libra::memory
