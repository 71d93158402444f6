// SPDX-License-Identifier: GPL-2.0-only
#include "map_arena.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

namespace libra::memory {

void* map_arena(std::size_t size, int flags, int fd) {
    constexpr int kNothing = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* reserved = mmap(nullptr, 2 * size, PROT_NONE, kNothing, -1, 0);
    if (reserved == MAP_FAILED)
        return nullptr;
    char* const start = static_cast<char*>(reserved);
    char* const base = start + (-reinterpret_cast<std::uintptr_t>(start) & (size - 1));
    void* mapped = mmap(base, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
    if (mapped == MAP_FAILED) {
        const int error = errno;
        munmap(start, 2 * size);
        errno = error;
        return nullptr;
    }
    if (base > start)
        munmap(start, static_cast<std::size_t>(base - start));
    munmap(base + size, size - static_cast<std::size_t>(base - start));
    return base;
}

}  // namespace libra::memory
