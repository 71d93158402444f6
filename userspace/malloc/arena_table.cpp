// SPDX-License-Identifier: GPL-2.0-only
#include "arena_table.h"

namespace libra::memory {

bool ArenaTable::add(Arena* arena) {
    const std::uintptr_t slice = reinterpret_cast<std::uintptr_t>(arena->base) >> kArenaShift;
    std::size_t place = 0;
    while (place < size_ && at(place))
        place++;
    if (slice >= kSlices || place == kMaxArenas)
        return false;
    if (place == size_)
        size_++;
    arenas_[place].store(arena, std::memory_order_relaxed);
    __atomic_store_n(&slices_[slice], static_cast<std::uint16_t>(place + 1), __ATOMIC_RELEASE);
    return true;
}

void ArenaTable::remove(Arena* arena) {
    const std::uintptr_t slice = reinterpret_cast<std::uintptr_t>(arena->base) >> kArenaShift;
    const unsigned number = __atomic_exchange_n(&slices_[slice], 0, __ATOMIC_RELAXED);
    arenas_[number - 1].store(nullptr, std::memory_order_relaxed);
    while (size_ > 0 && !at(size_ - 1))
        size_--;
}

}  // namespace libra::memory
