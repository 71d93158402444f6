// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <string.h>

#include <cerrno>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "fake_source.h"

namespace libra::memory {
namespace {

constexpr std::size_t kBlock = 64 << 10;
constexpr std::size_t kMiB = 1 << 20;

bool aligned_to(const void* block, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

TEST(Heap, BlocksBeginAtPagesAndHoldWhatWasAskedFor) {
    TestHeap heap;
    std::set<void*> blocks;
    for (std::size_t size = 4096; size <= Heap::kMaxBlock; size = size * 3 / 2 + 7) {
        void* block = heap->allocate(size);
        ASSERT_NE(block, nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % kPageSize, block_skew(size));
        EXPECT_TRUE(heap->owns(block));
        EXPECT_GE(heap->usable_size(block), size);
        EXPECT_LE(heap->usable_size(block), size * 5 / 4 + kPageSize);
        memset(block, 0xa5, heap->usable_size(block));
        EXPECT_TRUE(blocks.insert(block).second);
    }
    EXPECT_EQ(heap->counts().blocks, blocks.size());
    for (void* block : blocks)
        heap->give_back(block);
    EXPECT_EQ(heap->counts().blocks, 0u);
    EXPECT_EQ(heap->counts().bytes, 0u);
}

TEST(Heap, NeitherBooksNorReuseTouchABlock) {
    TestHeap heap;
    std::vector<void*> blocks;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 100; i++)
            blocks.push_back(heap->allocate(kBlock));
        void* zeros = heap->allocate_zeroed(kBlock);
        blocks.push_back(zeros);
        for (void* block : blocks)
            heap->give_back(block);
        char* start =
            static_cast<char*>(zeros) - reinterpret_cast<std::uintptr_t>(zeros) % kArenaSize;
        EXPECT_EQ(touched_pages(start, kBlockPages * kPageSize), 0u);
        EXPECT_LE(touched_pages(start, kArenaSize), 1u) << "of the table";
        blocks.clear();
    }
}

// With a header in front, and a little behind, one more page of it is whole.
TEST(Heap, BlocksOfMoreThanPagesBeginInsideOfOne) {
    TestHeap heap;
    for (const std::size_t pages : {4, 8, 16, 100}) {
        const std::size_t size = pages * kPageSize;
        for (const std::size_t more : {1, 16, 4096 - 256}) {
            void* block = heap->allocate(size + more);
            EXPECT_TRUE(aligned_to(block, 256));
            EXPECT_FALSE(aligned_to(block, kPageSize)) << more;
            EXPECT_EQ(heap->usable_size(block), block_pages(size + more) * kPageSize - kSkew);
            EXPECT_TRUE(heap->resize(block, heap->usable_size(block)));
            EXPECT_EQ(heap->usable_size(block), block_pages(size + more) * kPageSize - kSkew);
            memset(block, 3, heap->usable_size(block));
            heap->give_back(block);
            char* zeros = static_cast<char*>(heap->allocate_zeroed(size + more));
            EXPECT_TRUE(aligned_to(zeros, 256) && !aligned_to(zeros, kPageSize));
            EXPECT_TRUE(all_bytes(zeros, size + more, 0));
            heap->give_back(zeros);
        }
        for (const std::size_t more : {0, 4096 - 255, 4095}) {
            void* block = heap->allocate(size + more);
            EXPECT_TRUE(aligned_to(block, kPageSize)) << more;
            heap->give_back(block);
        }
    }
}

TEST(Heap, AlignmentPastAPage) {
    TestHeap heap;
    void* first = heap->allocate(kBlock);
    for (std::size_t alignment = 1; alignment <= Heap::kMaxBlock; alignment *= 2) {
        void* block = heap->allocate_aligned(kBlock, alignment);
        ASSERT_NE(block, nullptr) << alignment;
        EXPECT_TRUE(aligned_to(block, alignment));
        EXPECT_EQ(heap->usable_size(block), kBlock);
        heap->give_back(block);
    }
    EXPECT_EQ(heap->allocate_aligned(kBlock, kArenaSize), nullptr);
    EXPECT_EQ(heap->allocate_aligned(kBlock, std::size_t{1} << 63), nullptr);
    heap->give_back(first);
}

TEST(Heap, WhatIsTooLargeIsNotItsBusiness) {
    TestHeap heap;
    for (const std::size_t size : {std::size_t{0}, Heap::kMaxBlock + 1, SIZE_MAX, SIZE_MAX / 2})
        EXPECT_EQ(heap->allocate(size), nullptr);
    EXPECT_EQ(heap->counts().arenas, 0u);
}

TEST(Heap, ZerosAfterDirtyUse) {
    for (const std::size_t size : {std::size_t{16384}, kBlock, 4 * kMiB}) {
        for (const int refused : {0, EBADF}) {
            TestHeap heap;
            // Fill the arena, so that nothing clean is left to choose.
            std::vector<void*> blocks;
            do
                blocks.push_back(heap->allocate(size));
            while (fake.arenas == 1);
            heap->give_back(blocks.back());
            blocks.pop_back();
            heap->release_free();
            fake.refuse_arenas = ENOMEM;
            memset(blocks[1], 0x5a, heap->usable_size(blocks[1]));
            heap->give_back(blocks[1]);
            fake.refuse_discards = refused;
            const unsigned before = fake.discards;
            errno = 77;
            void* block = heap->allocate_zeroed(size - 5);
            EXPECT_EQ(errno, 77);
            EXPECT_EQ(block, blocks[1]) << "a dirty one was to be used";
            EXPECT_TRUE(all_bytes(block, size - 5, 0));
            EXPECT_EQ(fake.discards - before, refused || size < kBlock / 2 ? 0u : 1u);
            for (void* each : blocks)
                heap->give_back(each);
        }
    }
}

TEST(Heap, ZerosCostNothingWhereCleanPagesAreLeft) {
    TestHeap heap;
    void* dirty = heap->allocate(kBlock);
    memset(dirty, 1, kBlock);
    heap->give_back(dirty);
    void* block = heap->allocate_zeroed(kBlock);
    EXPECT_NE(block, dirty);
    EXPECT_EQ(touched_pages(block, kBlock), 0u);
    EXPECT_EQ(fake.discards, 0u);
    EXPECT_EQ(heap->allocate(kBlock), dirty) << "and others have the hot block";
    heap->give_back(dirty);
    heap->give_back(block);
}

TEST(Heap, WhatFreeKeepsIsBounded) {
    TestHeap heap;
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 40; i++) {
        blocks.push_back(heap->allocate(kMiB));
        memset(blocks.back(), 1, kMiB);
    }
    for (std::size_t i = 1; i < blocks.size(); i++) {
        heap->give_back(blocks[i]);
        EXPECT_LE(heap->counts().kept, Heap::kMaxDirty);
    }
    EXPECT_GT(heap->counts().kept, 0u);
    EXPECT_EQ(touched_pages(blocks[1], kMiB), 0u) << "the oldest was discarded";
    EXPECT_EQ(touched_pages(blocks.back(), kMiB), kMiB / kPageSize) << "the last one is kept";
    heap->give_back(blocks[0]);
}

TEST(Heap, FreeMemoryOfOneSizeServesAnother) {
    TestHeap heap;
    std::vector<void*> small;
    while (fake.arenas < 2)
        small.push_back(heap->allocate(16384));
    fake.refuse_arenas = ENOMEM;
    heap->give_back(small.back());
    small.pop_back();
    heap->release_free();
    for (std::size_t i = 0; i < 64; i++)
        heap->give_back(small[i]);
    void* large = heap->allocate(kMiB);
    EXPECT_NE(large, nullptr) << "64 neighbours of 16 KB are 1 MB";
    heap->give_back(large);
    for (std::size_t i = 64; i < small.size(); i++)
        heap->give_back(small[i]);
}

TEST(Heap, OneFreeArenaIsKeptAndNoMore) {
    TestHeap heap;
    std::vector<void*> blocks;
    while (fake.arenas < 4)
        blocks.push_back(heap->allocate(Heap::kMaxBlock));
    for (void* block : blocks)
        heap->give_back(block);
    EXPECT_EQ(heap->counts().arenas, 1u);
    EXPECT_EQ(fake.arenas, 1u);
}

TEST(Heap, ASourceWithoutMemoryIsLeftAloneForAWhile) {
    TestHeap heap;
    fake.refuse_arenas = EMFILE;
    errno = 77;
    EXPECT_EQ(heap->allocate(kBlock), nullptr);
    EXPECT_EQ(errno, 77);
    EXPECT_EQ(heap->last_error(), EMFILE);
    fake.refuse_arenas = 0;
    EXPECT_EQ(heap->allocate(kBlock), nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(2100));
    void* block = heap->allocate(kBlock);
    EXPECT_NE(block, nullptr);
    heap->give_back(block);
}

TEST(Heap, DiscardsThatFailLoseNothing) {
    TestHeap heap;
    fake.refuse_discards = EBADF;
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 20; i++)
        blocks.push_back(heap->allocate(kMiB));
    errno = 77;
    for (unsigned i = 1; i < 20; i++)
        heap->give_back(blocks[i]);
    EXPECT_EQ(errno, 77);
    EXPECT_EQ(heap->last_error(), EBADF);
    for (unsigned i = 1; i < 20; i++)
        EXPECT_EQ(heap->allocate(kMiB) != nullptr, true);
    EXPECT_EQ(heap->counts().kept, 0u);
    for (void* block : blocks)
        heap->give_back(block);
}

TEST(Heap, ResizesInPlace) {
    TestHeap heap;
    void* block = heap->allocate(kBlock);
    memset(block, 7, kBlock);
    EXPECT_TRUE(heap->resize(block, 10 * kMiB)) << "nothing lies behind";
    EXPECT_GE(heap->usable_size(block), 10 * kMiB);
    EXPECT_TRUE(all_bytes(block, kBlock, 7));
    memset(block, 7, 10 * kMiB);
    EXPECT_TRUE(heap->resize(block, kBlock));
    EXPECT_EQ(heap->usable_size(block), kBlock);
    EXPECT_EQ(touched_pages(static_cast<char*>(block) + kBlock, kMiB), 0u) << "the rest is gone";
    EXPECT_TRUE(heap->resize(block, kBlock - 2 * kPageSize)) << "not worth a cut";
    EXPECT_EQ(heap->usable_size(block), kBlock);

    void* behind = heap->allocate(kBlock);
    EXPECT_FALSE(heap->resize(block, kBlock + 1));
    heap->give_back(behind);
    EXPECT_TRUE(heap->resize(block, 2 * kBlock)) << "into what free() keeps";
    EXPECT_FALSE(heap->resize(block, 0));
    EXPECT_FALSE(heap->resize(block, Heap::kMaxBlock + 1));
    EXPECT_TRUE(all_bytes(block, kBlock, 7));
    heap->give_back(block);
}

TEST(HeapDeathTest, WhatIsNotABlockEndsTheProgram) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    TestHeap heap;
    char* block = static_cast<char*>(heap->allocate(kBlock));
    EXPECT_DEATH(heap->give_back(block + 8), "libra-malloc: free\\(\\): not a block in use");
    heap->give_back(block);
    EXPECT_DEATH(heap->give_back(block), "libra-malloc: free\\(\\): not a block in use");
}

}  // namespace
}  // namespace libra::memory
