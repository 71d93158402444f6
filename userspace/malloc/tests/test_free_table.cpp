// SPDX-License-Identifier: GPL-2.0-only
// What free() keeps, between the heap and a kernel that a test plays.
#include <gtest/gtest.h>
#include <string.h>
#include <sys/mman.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "fake_source.h"

namespace libra::memory {
namespace {

constexpr std::size_t kBlock = 64 << 10;
constexpr std::uint16_t kPages = kBlock / kPageSize;

char* arena_of(const void* block) {
    return reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(block) & ~(kArenaSize - 1));
}

std::atomic_ref<std::uint16_t> entry_of(const void* block) {
    auto* table = reinterpret_cast<std::uint16_t*>(arena_of(block) + kBlockPages * kPageSize);
    return std::atomic_ref(table[reinterpret_cast<std::uintptr_t>(block) % kArenaSize / kPageSize]);
}

TEST(FreeTable, SaysWhatIsFree) {
    TestHeap heap;
    void* block = heap->allocate(kBlock);
    EXPECT_EQ(entry_of(block), 0);
    heap->give_back(block);
    EXPECT_EQ(entry_of(block), LIBRA_FREE_NEW | kPages);
    EXPECT_EQ(heap->allocate(kBlock), block);
    EXPECT_EQ(entry_of(block), 0);
    heap->give_back(block);
}

TEST(FreeTable, WhatIsOldIsAsItWas) {
    TestHeap heap;
    void* block = heap->allocate(kBlock);
    memset(block, 0xa5, kBlock);
    heap->give_back(block);
    entry_of(block) = LIBRA_FREE_OLD | kPages;
    EXPECT_EQ(heap->allocate(kBlock), block);
    EXPECT_TRUE(all_bytes(block, kBlock, 0xa5));
    heap->give_back(block);
}

TEST(FreeTable, WhatTheKernelIsAtIsLeftAlone) {
    TestHeap heap;
    void* block = heap->allocate(kBlock);
    void* other = heap->allocate(kBlock);
    heap->give_back(other);
    heap->give_back(block);
    entry_of(block) = LIBRA_FREE_BUSY | kPages;
    EXPECT_EQ(heap->allocate(kBlock), other);
    void* third = heap->allocate(kBlock);
    EXPECT_NE(third, block);
    EXPECT_FALSE(heap->resize(third, kBlock + kPageSize) && third < block) << "into it";
    entry_of(block) = LIBRA_FREE_ZEROS | kPages;
    EXPECT_EQ(heap->allocate(kBlock), block);
    for (void* each : {block, other, third})
        heap->give_back(each);
}

TEST(FreeTable, WhatReadsAsZerosIsNotClearedAgain) {
    TestHeap heap;
    std::vector<void*> blocks;
    // No clean run is left for calloc().
    while (heap->counts().arenas < 2)
        blocks.push_back(heap->allocate(Heap::kMaxBlock));
    void* block = blocks.back();
    heap->give_back(block);
    ASSERT_EQ(::madvise(block, Heap::kMaxBlock, MADV_DONTNEED), 0);
    entry_of(block) = LIBRA_FREE_ZEROS | Heap::kMaxBlock / kPageSize;
    const unsigned discards = fake.discards;
    void* zeros = heap->allocate_zeroed(Heap::kMaxBlock);
    EXPECT_EQ(touched_pages(zeros, Heap::kMaxBlock), 0u);
    EXPECT_EQ(fake.discards, discards);
    blocks.back() = zeros;
    for (void* each : blocks)
        heap->give_back(each);
}

TEST(FreeTable, TheKernelIsNotToldWhatItKnows) {
    TestHeap heap;
    constexpr std::size_t kSmaller = Heap::kMaxDirty / 2;
    void* known = heap->allocate(kSmaller);
    void* other = heap->allocate(Heap::kMaxDirty);
    heap->give_back(known);
    entry_of(known) = LIBRA_FREE_ZEROS | kSmaller / kPageSize;
    EXPECT_EQ(fake.discards, 0u);
    heap->give_back(other);
    EXPECT_EQ(heap->counts().kept, 0u);
    EXPECT_EQ(fake.discards, 1u);
}

// Blocks that are given and taken while the kernel takes what is free: nobody ever sees
// a block change that is in use, and what is said to be zeros is.
TEST(FreeTable, StandsAKernelInAHurry) {
    TestHeap heap;
    constexpr std::size_t kSmall = 8 * kPageSize;
    std::atomic<char*> arena{nullptr};
    std::atomic<bool> over{false};
    std::atomic<unsigned> taken{0};

    std::thread kernel([&] {
        while (!over) {
            char* const base = arena;
            if (!base)
                continue;
            for (std::uint32_t page = 0; page < 2048; page++) {
                const auto entry = entry_of(base + page * kPageSize);
                std::uint16_t was = entry.load(std::memory_order_acquire);
                const std::uint16_t pages = was & LIBRA_FREE_PAGES;
                const unsigned state = was & LIBRA_FREE_STATE;
                if (state == LIBRA_FREE_NEW)
                    entry.compare_exchange_strong(was, LIBRA_FREE_OLD | pages);
                if (state != LIBRA_FREE_OLD ||
                    !entry.compare_exchange_strong(was, LIBRA_FREE_BUSY | pages))
                    continue;
                memset(base + page * kPageSize, 0, pages * kPageSize);
                entry.store(LIBRA_FREE_ZEROS | pages, std::memory_order_release);
                taken++;
            }
        }
    });
    std::vector<std::thread> users;
    for (unsigned char user = 1; user <= 3; user++) {
        users.emplace_back([&, user] {
            std::mt19937 random(user);
            std::vector<unsigned char*> mine;
            for (unsigned round = 0; round < 3000 || (round < 300'000 && taken < 200); round++) {
                if (mine.size() < 8 && random() % 2) {
                    const bool zeros = random() % 2;
                    auto* block = static_cast<unsigned char*>(zeros ? heap->allocate_zeroed(kSmall)
                                                                    : heap->allocate(kSmall));
                    arena = arena_of(block);
                    if (zeros) {
                        ASSERT_TRUE(all_bytes(block, kSmall, 0));
                    }
                    memset(block, user, kSmall);
                    mine.push_back(block);
                } else if (!mine.empty()) {
                    ASSERT_TRUE(all_bytes(mine.back(), kSmall, user));
                    heap->give_back(mine.back());
                    mine.pop_back();
                }
            }
            for (unsigned char* block : mine)
                heap->give_back(block);
        });
    }
    for (std::thread& user : users)
        user.join();
    over = true;
    kernel.join();
    EXPECT_GT(taken, 0u);
}

}  // namespace
}  // namespace libra::memory
