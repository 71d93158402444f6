// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <linux/libra_memory.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "size_class.h"

namespace libra::memory {

// By which the kernel knows what free() keeps, and gives back what stays free: the end
// of an arena, see linux/libra_memory.h. An entry belongs to whoever holds the heap's
// lock, or to the kernel.
class FreeTable {
  public:
    enum class Claim : std::uint8_t {
        as_it_was,
        zeros,
        busy,  // the kernel is at it; soon it is zeros
    };

    explicit FreeTable(char* arena)
        : entries_(reinterpret_cast<std::uint16_t*>(arena + kBlockPages * kPageSize)) {}

    void give(std::uint32_t page, std::uint32_t pages) const {
        entry(page).store(static_cast<std::uint16_t>(LIBRA_FREE_NEW | pages),
                          std::memory_order_release);
    }

    // Of a run that was given; unless it is busy, it is the caller's.
    Claim claim(std::uint32_t page) const {
        std::uint16_t now = entry(page).load(std::memory_order_acquire);
        do {
            if ((now & LIBRA_FREE_STATE) == LIBRA_FREE_BUSY)
                return Claim::busy;
        } while (!entry(page).compare_exchange_weak(now, 0, std::memory_order_acquire));
        return (now & LIBRA_FREE_STATE) == LIBRA_FREE_ZEROS ? Claim::zeros : Claim::as_it_was;
    }

  private:
    std::atomic_ref<std::uint16_t> entry(std::uint32_t page) const {
        return std::atomic_ref(entries_[page]);
    }

    std::uint16_t* entries_;
};

static_assert(LIBRA_TABLE_START(kArenaSize, kPageSize) == kBlockPages * kPageSize);

}  // namespace libra::memory
