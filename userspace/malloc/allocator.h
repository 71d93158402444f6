// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heap.h"
#include "next_malloc.h"

namespace libra::memory {

// The malloc family as the C library has it, over two memories: blocks of at least
// `min_block` come from the heap where it has them, all others from the next
// allocator, which also says what happens to odd arguments.
class Allocator {
  public:
    // Until start(), everything is the next allocator's.
    constexpr Allocator(Heap& heap, const NextMalloc& next) : heap_(heap), next_(next) {}
    void start(std::size_t min_block) { min_block_.store(min_block, std::memory_order_relaxed); }

    void* malloc(std::size_t size);
    void free(void* block);
    void* calloc(std::size_t count, std::size_t size);
    void* realloc(void* block, std::size_t size);
    void* reallocarray(void* block, std::size_t count, std::size_t size);
    void* memalign(std::size_t alignment, std::size_t size);
    void* aligned_alloc(std::size_t alignment, std::size_t size);
    int posix_memalign(void** block, std::size_t alignment, std::size_t size);
    void* valloc(std::size_t size);
    void* pvalloc(std::size_t size);
    std::size_t malloc_usable_size(void* block);

    // madvise(2): what lies in arenas is discarded where that is what is asked for.
    int madvise(void* address, std::size_t size, int advice);

    std::uint64_t fallbacks() const { return fallbacks_.load(std::memory_order_relaxed); }

  private:
    bool wants(std::size_t size) const {
        return size >= min_block_.load(std::memory_order_relaxed);
    }
    void* aligned(std::size_t alignment, std::size_t size);
    void* counted(void* block);
    void* move_from_heap(void* block, std::size_t size);

    Heap& heap_;
    const NextMalloc& next_;
    std::atomic<std::size_t> min_block_{SIZE_MAX};
    std::atomic<std::uint64_t> fallbacks_{0};
};

}  // namespace libra::memory
