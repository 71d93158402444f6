// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>

namespace libra::memory {

// The allocator behind ours.
struct NextMalloc {
    void* (*malloc)(std::size_t size);
    void (*free)(void* block);
    void* (*calloc)(std::size_t count, std::size_t size);
    void* (*realloc)(void* block, std::size_t size);
    void* (*memalign)(std::size_t alignment, std::size_t size);
    void* (*aligned_alloc)(std::size_t alignment, std::size_t size);
    int (*posix_memalign)(void** block, std::size_t alignment, std::size_t size);
    void* (*valloc)(std::size_t size);
    void* (*pvalloc)(std::size_t size);
    std::size_t (*malloc_usable_size)(void* block);
};

}  // namespace libra::memory
