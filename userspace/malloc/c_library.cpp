// SPDX-License-Identifier: GPL-2.0-only
#include "c_library.h"

#include <dlfcn.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "bootstrap.h"
#include "complain.h"

namespace libra::memory {
namespace {

enum class Lookup { none, running, done };

constinit std::atomic<Lookup> lookup{Lookup::none};
constinit NextMalloc next{};
constinit Bootstrap bootstrap;

template <typename Function>
void find(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    if (!function)
        die(name, "the C library has none");
}

// False to whoever calls from inside the look-up, or beside it in another thread.
bool start() {
    Lookup expected = Lookup::none;
    if (!lookup.compare_exchange_strong(expected, Lookup::running))
        return expected == Lookup::done;
    find(next.malloc, "malloc");
    find(next.free, "free");
    find(next.calloc, "calloc");
    find(next.realloc, "realloc");
    find(next.memalign, "memalign");
    find(next.aligned_alloc, "aligned_alloc");
    find(next.posix_memalign, "posix_memalign");
    find(next.valloc, "valloc");
    find(next.pvalloc, "pvalloc");
    find(next.malloc_usable_size, "malloc_usable_size");
    lookup.store(Lookup::done, std::memory_order_release);
    return true;
}

bool ready() {
    return lookup.load(std::memory_order_acquire) == Lookup::done || start();
}

void* from_bootstrap(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
    void* block = bootstrap.allocate(size, alignment);
    if (!block)
        errno = ENOMEM;
    return block;
}

void* c_malloc(std::size_t size) {
    return ready() ? next.malloc(size) : from_bootstrap(size);
}

void c_free(void* block) {
    if (!bootstrap.owns(block) && ready())
        next.free(block);
}

void* c_calloc(std::size_t count, std::size_t size) {
    if (ready())
        return next.calloc(count, size);
    std::size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    return from_bootstrap(total);
}

void* c_realloc(void* block, std::size_t size) {
    if (ready() && !bootstrap.owns(block))
        return next.realloc(block, size);
    void* copy = c_malloc(size);
    if (copy && block)
        memcpy(copy, block, std::min(size, bootstrap.size_at_most(block)));
    return copy;
}

void* c_memalign(std::size_t alignment, std::size_t size) {
    return ready() ? next.memalign(alignment, size) : from_bootstrap(size, alignment);
}

void* c_aligned_alloc(std::size_t alignment, std::size_t size) {
    return ready() ? next.aligned_alloc(alignment, size) : from_bootstrap(size, alignment);
}

int c_posix_memalign(void** block, std::size_t alignment, std::size_t size) {
    return ready() ? next.posix_memalign(block, alignment, size) : ENOMEM;
}

void* c_valloc(std::size_t size) {
    return ready() ? next.valloc(size) : nullptr;
}

void* c_pvalloc(std::size_t size) {
    return ready() ? next.pvalloc(size) : nullptr;
}

std::size_t c_malloc_usable_size(void* block) {
    return !bootstrap.owns(block) && ready() ? next.malloc_usable_size(block) : 0;
}

}  // namespace

constinit const NextMalloc c_library = {
    .malloc = c_malloc,
    .free = c_free,
    .calloc = c_calloc,
    .realloc = c_realloc,
    .memalign = c_memalign,
    .aligned_alloc = c_aligned_alloc,
    .posix_memalign = c_posix_memalign,
    .valloc = c_valloc,
    .pvalloc = c_pvalloc,
    .malloc_usable_size = c_malloc_usable_size,
};

}  // namespace libra::memory
