// SPDX-License-Identifier: GPL-2.0-only
#include "allocator.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

namespace libra::memory {
namespace {

constexpr std::uintptr_t kAddressEnd = std::uintptr_t{1} << 48;
constexpr std::size_t kSmallestPool = 16 << 10;

}  // namespace

// What the heap gave for a block that it should have; counts where it did not.
void* Allocator::counted(void* block) {
    if (!block)
        fallbacks_.fetch_add(1, std::memory_order_relaxed);
    return block;
}

void* Allocator::malloc(std::size_t size) {
    if (wants(size))
        if (void* block = counted(heap_.allocate(size)))
            return block;
    return next_.malloc(size);
}

void Allocator::free(void* block) {
    if (heap_.owns(block))
        heap_.give_back(block);
    else
        next_.free(block);
}

void* Allocator::calloc(std::size_t count, std::size_t size) {
    std::size_t total = 0;
    if (!__builtin_mul_overflow(count, size, &total) && wants(total))
        if (void* block = counted(heap_.allocate_zeroed(total)))
            return block;
    return next_.calloc(count, size);
}

void* Allocator::realloc(void* block, std::size_t size) {
    if (!block)
        return malloc(size);
    if (heap_.owns(block))
        return move_from_heap(block, size);
    // One that the next allocator has, for whatever reason, moves when it grows.
    const std::size_t old = next_.malloc_usable_size(block);
    if (wants(size) && size > old) {
        if (void* copy = counted(heap_.allocate(size))) {
            memcpy(copy, block, old);
            next_.free(block);
            return copy;
        }
    }
    return next_.realloc(block, size);
}

void* Allocator::move_from_heap(void* block, std::size_t size) {
    if (size == 0) {
        heap_.give_back(block);
        return nullptr;
    }
    if (wants(size) && heap_.resize(block, size))
        return block;
    const std::size_t old = heap_.usable_size(block);
    const int before = errno;
    void* copy = malloc(size);
    if (!copy && size <= old) {
        errno = before;
        return block;
    }
    if (!copy)
        return nullptr;
    memcpy(copy, block, std::min(size, old));
    heap_.give_back(block);
    return copy;
}

void* Allocator::reallocarray(void* block, std::size_t count, std::size_t size) {
    std::size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(block, total);
}

// nullptr where the next allocator should be asked. That is whom to ask for small blocks
// which are aligned within a page: pools of objects (nginx's, of 4 KB), of which each
// touch in payload memory would cost a page that was left by a buffer.
void* Allocator::aligned(std::size_t alignment, std::size_t size) {
    if (!wants(size) || !std::has_single_bit(alignment) ||
        (alignment < kPageSize && size < kSmallestPool))
        return nullptr;
    return counted(heap_.allocate_aligned(size, alignment));
}

void* Allocator::memalign(std::size_t alignment, std::size_t size) {
    void* block = aligned(alignment, size);
    return block ? block : next_.memalign(alignment, size);
}

void* Allocator::aligned_alloc(std::size_t alignment, std::size_t size) {
    void* block = aligned(alignment, size);
    return block ? block : next_.aligned_alloc(alignment, size);
}

int Allocator::posix_memalign(void** result, std::size_t alignment, std::size_t size) {
    if (alignment % sizeof(void*) == 0) {
        if (void* block = aligned(alignment, size)) {
            *result = block;
            return 0;
        }
    }
    return next_.posix_memalign(result, alignment, size);
}

void* Allocator::valloc(std::size_t size) {
    void* block = aligned(kPageSize, size);
    return block ? block : next_.valloc(size);
}

void* Allocator::pvalloc(std::size_t size) {
    void* block = aligned(kPageSize, size);  // whole pages, as all runs of the heap
    return block ? block : next_.pvalloc(size);
}

std::size_t Allocator::malloc_usable_size(void* block) {
    if (heap_.owns(block))
        return heap_.usable_size(block);
    return next_.malloc_usable_size(block);
}

int Allocator::madvise(void* address, std::size_t size, int advice) {
    const auto kernel = [advice](char* from, std::size_t length) {
        return static_cast<int>(syscall(SYS_madvise, from, length, advice));
    };
    char* from = static_cast<char*>(address);
    const auto start = reinterpret_cast<std::uintptr_t>(address);
    const std::size_t length = (size + kPageSize - 1) & ~(kPageSize - 1);
    if ((advice != MADV_DONTNEED && advice != MADV_DONTNEED_LOCKED) || start % kPageSize != 0 ||
        length < size || start + length < start || start + length > kAddressEnd)
        return kernel(from, size);

    // As the kernel does: goes on behind what is not mapped.
    int error = 0;
    char* const end = from + length;
    while (from < end) {
        const bool ours = heap_.owns(from);
        char* to = from;
        do {
            to += kArenaSize - reinterpret_cast<std::uintptr_t>(to) % kArenaSize;
        } while (to < end && heap_.owns(to) == ours);
        to = std::min(to, end);
        const auto part = static_cast<std::size_t>(to - from);
        if (ours ? !heap_.discard(from, part) : kernel(from, part) != 0)
            error = errno;
        if (error && error != ENOMEM)
            break;
        from = to;
    }
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

}  // namespace libra::memory
