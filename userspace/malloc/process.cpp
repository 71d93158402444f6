// SPDX-License-Identifier: GPL-2.0-only
#include "process.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "c_library.h"
#include "complain.h"
#include "keep_errno.h"
#include "settings.h"

namespace libra::memory {
namespace {

constinit ArenaTable table;
constinit Heap heap(process_source, table);
constinit Allocator allocator(heap, c_library);
constinit std::atomic<bool> started{false};
constinit std::atomic<std::size_t> min_block{0};

// Whoever comes while another thread is at it, or from inside pthread_atfork(),
// has the C library.
void start() {
    if (!environ || started.exchange(true))
        return;
    const KeepErrno keep;
    const Settings settings = read_settings();
    min_block.store(settings.min_block, std::memory_order_relaxed);
    if (sysconf(_SC_PAGESIZE) != static_cast<long>(kPageSize)) {
        if (settings.verbose)
            complain("pages are not of %zu bytes: all blocks come from the C library", kPageSize);
        return;
    }
    if (pthread_atfork([] { heap.before_fork(); }, [] { heap.after_fork_parent(); },
                       [] { heap.after_fork_child(); }) != 0)
        return;
    if (settings.ordinary)
        process_source_ordinary();
    if (settings.verbose)
        process_source_verbose(settings.min_block);
    allocator.start(settings.min_block);
}

}  // namespace

Allocator& process_allocator(std::size_t size) {
    if (size >= kLowestMin && !started.load(std::memory_order_relaxed)) [[unlikely]]
        start();
    return allocator;
}

}  // namespace libra::memory

extern "C" [[gnu::visibility("default")]] int libra_malloc_stats(struct libra_malloc_stats* out) {
    using namespace libra::memory;
    if (!out) {
        errno = EINVAL;
        return -1;
    }
    const Heap::Counts counts = heap.counts();
    *out = {};
    out->device = process_source_state(&out->device_errno);
    if (out->device_errno == 0)
        out->device_errno = heap.last_error();
    out->min_block = min_block.load(std::memory_order_relaxed);
    out->arenas = counts.arenas;
    out->retired = counts.retired;
    out->blocks = counts.blocks;
    out->bytes = counts.bytes;
    out->kept = counts.kept;
    out->fallbacks = allocator.fallbacks();
    return 0;
}
