// SPDX-License-Identifier: GPL-2.0-only
#include "arena.h"

#include <sys/mman.h>

namespace libra::memory {

Arena* Arena::create(char* base) {
    void* memory =
        mmap(nullptr, sizeof(Arena), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return nullptr;
    auto* arena = static_cast<Arena*>(memory);  // zeros will do for the page map
    arena->base = base;
    arena->retired = false;
    arena->runs.init();
    return arena;
}

void Arena::destroy(Arena* arena) {
    munmap(arena, sizeof(Arena));
}

}  // namespace libra::memory
