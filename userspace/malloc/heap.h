// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arena_table.h"
#include "fork_lock.h"
#include "payload_source.h"

namespace libra::memory {

// What failed is not tried again at every call, but a second later.
class Rest {
  public:
    constexpr Rest() = default;
    void start();
    bool lasts() const;

  private:
    std::atomic<std::int64_t> until_{0};
};

// Blocks in payload memory. Returns nullptr wherever the C library should be asked
// instead, and leaves errno alone, but for what is documented.
//
// Two locks. lock_ guards the books and is held for instructions only; asking_ is
// held, and taken first, by whoever asks the kernel for something, so that runs
// being laundered and arenas being made are not there when a fork copies us.
class Heap {
  public:
    // Larger blocks are the C library's: rare, and a few would fill an arena.
    static constexpr std::size_t kMaxBlock = std::size_t{16} << 20;
    // What free() keeps of an arena as it was; past it the oldest half is laundered.
    static constexpr std::size_t kMaxDirty = std::size_t{8} << 20;
    // calloc() clears shorter used blocks by hand. A page costs 10 000 instructions
    // when payload lies there (fault, copy, clear) and some hundred when not; a
    // discarded page costs a fault when it is touched next, whatever it was. Which it
    // will be is not known here. Up to 7 pages neither mistake is worth much.
    static constexpr std::uint32_t kDiscardPages = 8;
    // realloc() cuts off what is at least that much.
    static constexpr std::uint32_t kCutPages = 4;

    struct Counts {
        std::size_t arenas, retired, blocks, bytes, kept;
    };

    // The table is the heap's alone, and apart only because it is large and zero.
    constexpr Heap(const PayloadSource& source, ArenaTable& table)
        : source_(source), table_(table) {}

    // Is it a block of ours, or memory inside one?
    bool owns(const void* pointer) const { return table_.find(pointer) != nullptr; }

    // At block_skew(size) in a page.
    void* allocate(std::size_t size);
    void* allocate_zeroed(std::size_t size);
    // At a page, or more; `alignment` is a power of two.
    void* allocate_aligned(std::size_t size, std::size_t alignment);
    void give_back(void* block);
    std::size_t usable_size(const void* block) const;
    // The block has room for `size` now, and no more than worth it; or it is as it was.
    bool resize(void* block, std::size_t size);

    // Makes zeros of whole pages that belong to arenas; or false and errno.
    bool discard(void* address, std::size_t size);

    Counts counts();
    int last_error() const { return last_error_.load(std::memory_order_relaxed); }

    void before_fork();
    void after_fork_parent();
    void after_fork_child();

    // For tests: gives back every wholly free arena.
    void release_free();

  private:
    struct Found {
        char* block;
        bool zeros;
    };

    Found find(std::size_t size, std::size_t alignment, bool zeros_first);
    Found find_in_arenas(std::uint32_t pages, std::uint32_t alignment, bool zeros_first);
    static Found take_kept(Arena* arena, unsigned index);
    Found find_by_asking(std::uint32_t pages, std::uint32_t alignment);
    Arena* checked(const void* block, const char* caller) const;
    bool over_bounds(const Arena* arena) const;
    template <typename Wanted>
    Arena* next_arena(std::size_t& place, Wanted wanted);

    // With asking_ held.
    bool add_arena();
    bool discard_run(Arena* arena, std::uint32_t page);
    bool launder(Arena* arena, std::uint32_t page, bool zeros);
    void launder_down_to(Arena* arena, std::size_t bytes);
    Arena* take_surplus_arena(unsigned spare);
    void release_surplus(unsigned spare);
    void tidy();

    const PayloadSource& source_;
    ArenaTable& table_;
    ForkLock asking_;
    ForkLock lock_;
    std::atomic<int> last_error_{0};
    Rest no_arenas_;
    Rest no_discards_;
};

}  // namespace libra::memory
