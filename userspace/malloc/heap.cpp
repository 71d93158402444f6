// SPDX-License-Identifier: GPL-2.0-only
#include "heap.h"

#include <string.h>
#include <time.h>

#include <cerrno>

#include "complain.h"
#include "keep_errno.h"

namespace libra::memory {
namespace {

std::int64_t seconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

std::size_t bytes(std::uint32_t pages) {
    return std::size_t{pages} << kPageShift;
}

std::size_t skew_of(const void* block) {
    return reinterpret_cast<std::uintptr_t>(block) % kPageSize;
}

}  // namespace

void Rest::start() {
    until_.store(seconds() + 1, std::memory_order_relaxed);
}

bool Rest::lasts() const {
    const std::int64_t until = until_.load(std::memory_order_relaxed);
    return until != 0 && seconds() <= until;
}

void* Heap::allocate(std::size_t size) {
    const Found found = find(size, 1, false);
    return found.block ? found.block + block_skew(size) : nullptr;
}

void* Heap::allocate_aligned(std::size_t size, std::size_t alignment) {
    return find(size, alignment, false).block;
}

void* Heap::allocate_zeroed(std::size_t size) {
    const Found found = find(size, 1, true);
    if (!found.block)
        return nullptr;
    char* const block = found.block + block_skew(size);
    if (found.zeros)
        return block;
    const std::size_t length = usable_size(found.block);
    if (length >= kDiscardPages * kPageSize && !no_discards_.lasts()) {
        const KeepErrno keep;
        if (discard(found.block, length))
            return block;
    }
    return memset(block, 0, size);
}

Heap::Found Heap::find(std::size_t size, std::size_t alignment, bool zeros_first) {
    if (size == 0 || size > kMaxBlock || alignment > kMaxBlock)
        return {};
    const std::uint32_t pages = block_pages(size);
    const auto aligned_pages = static_cast<std::uint32_t>((alignment + kPageSize - 1) / kPageSize);
    {
        const Locked locked(lock_);
        if (const Found found = find_in_arenas(pages, aligned_pages, zeros_first); found.block)
            return found;
    }
    const KeepErrno keep;
    return find_by_asking(pages, aligned_pages);
}

// With lock_ held.
Heap::Found Heap::find_in_arenas(std::uint32_t pages, std::uint32_t alignment, bool zeros_first) {
    const unsigned index = class_above(pages);
    for (const bool zeros : {zeros_first, !zeros_first}) {
        if (!zeros && alignment > 1)
            continue;
        for (std::size_t place = 0; place < table_.size(); place++) {
            Arena* arena = table_.at(place);
            if (!arena || arena->retired)
                continue;
            if (!zeros) {
                if (const Found found = take_kept(arena, index); found.block)
                    return found;
                continue;
            }
            const std::uint32_t page = arena->runs.take_clean(pages, alignment);
            if (page != PageRuns::kNone)
                return {arena->address(page), true};
        }
    }
    return {};
}

// With lock_ held.
Heap::Found Heap::take_kept(Arena* arena, unsigned index) {
    for (std::uint32_t page = arena->runs.first_dirty(index); page != PageRuns::kNone;
         page = arena->runs.next_dirty(page)) {
        const FreeTable::Claim claim = arena->freed().claim(page);
        if (claim == FreeTable::Claim::busy)
            continue;
        arena->runs.take_dirty(page);
        return {arena->address(page), claim == FreeTable::Claim::zeros};
    }
    return {};
}

// The first arena from `place` on that is wanted; `place` is behind it then.
template <typename Wanted>
Arena* Heap::next_arena(std::size_t& place, Wanted wanted) {
    const Locked locked(lock_);
    while (place < table_.size()) {
        Arena* arena = table_.at(place++);
        if (arena && wanted(arena))
            return arena;
    }
    return nullptr;
}

// What free() keeps may do, once joined; or else a new arena.
Heap::Found Heap::find_by_asking(std::uint32_t pages, std::uint32_t alignment) {
    const Locked asking(asking_);
    const auto find_again = [&] {
        const Locked locked(lock_);
        return find_in_arenas(pages, alignment, false);
    };
    const auto may_do = [&](const Arena* arena) {
        const PageRuns& runs = arena->runs;
        return !arena->retired && runs.dirty_pages() > 0 &&
               runs.dirty_pages() + runs.clean_pages() >= pages;
    };
    Found found = find_again();
    std::size_t place = 0;
    while (!found.block && !no_discards_.lasts()) {
        Arena* kept = next_arena(place, may_do);
        if (!kept)
            break;
        launder_down_to(kept, 0);
        found = find_again();
    }
    if (!found.block && !no_arenas_.lasts() && add_arena())
        found = find_again();
    return found;
}

bool Heap::add_arena() {
    auto* base = static_cast<char*>(source_.reserve(kArenaSize));
    if (!base) {
        last_error_.store(errno, std::memory_order_relaxed);
        no_arenas_.start();
        return false;
    }
    Arena* arena = Arena::create(base);
    bool added = false;
    if (arena) {
        const Locked locked(lock_);
        added = table_.add(arena);
    }
    if (!added) {
        last_error_.store(ENOMEM, std::memory_order_relaxed);
        no_arenas_.start();
        if (arena)
            Arena::destroy(arena);
        source_.release(base, kArenaSize);
        return false;
    }
    last_error_.store(0, std::memory_order_relaxed);
    return true;
}

Arena* Heap::checked(const void* block, const char* caller) const {
    Arena* arena = table_.find(block);
    const std::size_t skew = skew_of(block);
    if (!arena || (skew != 0 && skew != kSkew) || !arena->runs.is_used(arena->page_of(block)))
        die(caller, "not a block in use");
    return arena;
}

std::size_t Heap::usable_size(const void* block) const {
    const Arena* arena = checked(block, "malloc_usable_size()");
    return bytes(arena->runs.length(arena->page_of(block))) - skew_of(block);
}

void Heap::give_back(void* block) {
    bool untidy = false;
    {
        const Locked locked(lock_);
        Arena* arena = checked(block, "free()");
        const std::uint32_t page = arena->page_of(block);
        arena->runs.give(page);
        arena->freed().give(page, arena->runs.length(page));
        untidy = over_bounds(arena);
    }
    // Who finds somebody at it already leaves it to the next one.
    if (untidy && asking_.try_lock()) {
        const KeepErrno keep;
        tidy();
        asking_.unlock();
    }
}

// With lock_ held.
bool Heap::over_bounds(const Arena* arena) const {
    if (bytes(arena->runs.dirty_pages()) > kMaxDirty)
        return true;
    if (arena->runs.used_pages() > 0)
        return false;
    if (arena->retired)
        return true;
    unsigned empty = 0;
    for (std::size_t place = 0; place < table_.size(); place++) {
        const Arena* each = table_.at(place);
        empty += each && !each->retired && each->runs.used_pages() == 0;
    }
    return empty > 1;
}

void Heap::tidy() {
    release_surplus(1);
    std::size_t place = 0;
    while (Arena* arena = next_arena(place, [](const Arena* each) {
               return bytes(each->runs.dirty_pages()) > kMaxDirty;
           }))
        launder_down_to(arena, kMaxDirty / 2);
}

// The arena stays meanwhile: only who holds asking_ takes one away.
void Heap::launder_down_to(Arena* arena, std::size_t bound) {
    while (!no_discards_.lasts()) {
        std::uint32_t page = PageRuns::kNone;
        FreeTable::Claim claim{};
        {
            const Locked locked(lock_);
            if (bytes(arena->runs.dirty_pages()) <= bound)
                return;
            page = arena->runs.oldest_dirty();
            claim = arena->freed().claim(page);
            // The kernel is on its way from there, as it seems.
            if (claim == FreeTable::Claim::busy)
                return;
            arena->runs.begin_launder(page);
        }
        launder(arena, page, claim == FreeTable::Claim::zeros);
    }
}

bool Heap::discard_run(Arena* arena, std::uint32_t page) {
    if (source_.discard(arena->address(page), bytes(arena->runs.length(page))))
        return true;
    last_error_.store(errno, std::memory_order_relaxed);
    no_discards_.start();
    return false;
}

// What cannot be discarded serves blocks of its own size, and waits.
bool Heap::launder(Arena* arena, std::uint32_t page, bool zeros) {
    const bool done = zeros || discard_run(arena, page);
    const Locked locked(lock_);
    if (done) {
        arena->runs.end_launder(page);
    } else {
        arena->runs.cancel_launder(page);
        arena->freed().give(page, arena->runs.length(page));
    }
    return done;
}

Arena* Heap::take_surplus_arena(unsigned spare) {
    const Locked locked(lock_);
    for (std::size_t place = 0; place < table_.size(); place++) {
        Arena* arena = table_.at(place);
        if (!arena || arena->runs.used_pages() > 0)
            continue;
        if (!arena->retired && spare > 0) {
            spare--;
            continue;
        }
        table_.remove(arena);
        return arena;
    }
    return nullptr;
}

void Heap::release_surplus(unsigned spare) {
    while (Arena* arena = take_surplus_arena(spare)) {
        source_.release(arena->base, kArenaSize);
        Arena::destroy(arena);
    }
}

void Heap::release_free() {
    const Locked asking(asking_);
    release_surplus(0);
}

bool Heap::resize(void* block, std::size_t size) {
    if (size == 0 || size > kMaxBlock)
        return false;
    Arena* arena = checked(block, "realloc()");
    const std::uint32_t page = arena->page_of(block);
    const std::uint32_t pages = block_pages(size + skew_of(block));
    const std::uint32_t old = arena->runs.length(page);
    if (pages <= old && old - pages < kCutPages)
        return true;
    if (pages > old && arena->retired)
        return false;

    const KeepErrno keep;
    const Locked asking(asking_);
    if (pages < old) {
        std::uint32_t cut = 0;
        {
            const Locked locked(lock_);
            cut = arena->runs.shrink(page, pages);
        }
        launder(arena, cut, false);
        return true;
    }
    std::uint32_t dirty = PageRuns::kNone;
    FreeTable::Claim claim{};
    {
        const Locked locked(lock_);
        if (arena->runs.grow(page, pages))
            return true;
        dirty = page + old;
        if (page + pages > kBlockPages || !arena->runs.is_dirty(dirty) ||
            old + arena->runs.length(dirty) < pages)
            return false;
        claim = arena->freed().claim(dirty);
        if (claim == FreeTable::Claim::busy)
            return false;
        arena->runs.begin_launder(dirty);
    }
    if (!launder(arena, dirty, claim == FreeTable::Claim::zeros))
        return false;
    const Locked locked(lock_);
    return arena->runs.grow(page, pages);
}

bool Heap::discard(void* address, std::size_t size) {
    const Locked asking(asking_);
    return source_.discard(address, size);
}

Heap::Counts Heap::counts() {
    const Locked locked(lock_);
    Counts counts{};
    for (std::size_t place = 0; place < table_.size(); place++) {
        const Arena* arena = table_.at(place);
        if (!arena)
            continue;
        counts.arenas++;
        counts.retired += arena->retired;
        counts.blocks += arena->runs.used_runs();
        counts.bytes += bytes(arena->runs.used_pages());
        counts.kept += bytes(arena->runs.dirty_pages());
    }
    return counts;
}

void Heap::before_fork() {
    asking_.before_fork();
    lock_.before_fork();
}

void Heap::after_fork_parent() {
    lock_.after_fork();
    asking_.after_fork();
}

void Heap::after_fork_child() {
    for (std::size_t place = 0; place < table_.size(); place++)
        if (Arena* arena = table_.at(place))
            arena->retired = true;
    after_fork_parent();
}

}  // namespace libra::memory
