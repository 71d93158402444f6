// SPDX-License-Identifier: GPL-2.0-only
// The names that take the C library's place. posix_madvise() is not among them: the
// C library's never gives memory up, as POSIX wants it, so there is nothing to tell.
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "process.h"

#define LIBRA_PUBLIC extern "C" [[gnu::visibility("default")]]

using libra::memory::process_allocator;

namespace {

// For sizes that come as a product: too large is large as well.
std::size_t product(std::size_t count, std::size_t size) {
    std::size_t total = 0;
    return __builtin_mul_overflow(count, size, &total) ? SIZE_MAX : total;
}

}  // namespace

LIBRA_PUBLIC void* malloc(std::size_t size) noexcept {
    return process_allocator(size).malloc(size);
}

LIBRA_PUBLIC void free(void* block) noexcept {
    process_allocator().free(block);
}

LIBRA_PUBLIC void* calloc(std::size_t count, std::size_t size) noexcept {
    return process_allocator(product(count, size)).calloc(count, size);
}

LIBRA_PUBLIC void* realloc(void* block, std::size_t size) noexcept {
    return process_allocator(size).realloc(block, size);
}

LIBRA_PUBLIC void* reallocarray(void* block, std::size_t count, std::size_t size) noexcept {
    return process_allocator(product(count, size)).reallocarray(block, count, size);
}

LIBRA_PUBLIC void* memalign(std::size_t alignment, std::size_t size) noexcept {
    return process_allocator(size).memalign(alignment, size);
}

LIBRA_PUBLIC void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return process_allocator(size).aligned_alloc(alignment, size);
}

LIBRA_PUBLIC int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
    return process_allocator(size).posix_memalign(block, alignment, size);
}

LIBRA_PUBLIC void* valloc(std::size_t size) noexcept {
    return process_allocator(size).valloc(size);
}

LIBRA_PUBLIC void* pvalloc(std::size_t size) noexcept {
    return process_allocator(size).pvalloc(size);
}

LIBRA_PUBLIC std::size_t malloc_usable_size(void* block) noexcept {
    return process_allocator().malloc_usable_size(block);
}

LIBRA_PUBLIC int madvise(void* address, std::size_t size, int advice) noexcept {
    return process_allocator().madvise(address, size, advice);
}
