// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <string.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "fake_source.h"

namespace libra::memory {
namespace {

constexpr std::size_t kMin = 16384;
constexpr std::size_t kTooLarge = Heap::kMaxBlock + 1;

// NOLINTBEGIN(clang-analyzer-unix.Malloc): does not know whose malloc() and free() these are
class AllocatorTest : public testing::Test {
  protected:
    AllocatorTest() { allocator_.start(kMin); }

    TestHeap heap_;
    Allocator allocator_{*heap_, plain_malloc};
};

TEST_F(AllocatorTest, TheMinimumDecides) {
    void* small = allocator_.malloc(kMin - 1);
    void* large = allocator_.malloc(kMin);
    void* huge = allocator_.malloc(kTooLarge);
    EXPECT_FALSE(heap_->owns(small));
    EXPECT_TRUE(heap_->owns(large));
    EXPECT_FALSE(heap_->owns(huge));
    EXPECT_EQ(allocator_.fallbacks(), 1u);
    EXPECT_GE(allocator_.malloc_usable_size(small), kMin - 1);
    EXPECT_EQ(allocator_.malloc_usable_size(large), kMin);
    EXPECT_EQ(allocator_.malloc_usable_size(nullptr), 0u);
    for (void* block : {small, large, huge, static_cast<void*>(nullptr)})
        allocator_.free(block);
}

TEST_F(AllocatorTest, BeforeTheStartAllIsTheNextOnes) {
    Allocator other{*heap_, plain_malloc};
    void* block = other.malloc(1 << 20);
    EXPECT_FALSE(heap_->owns(block));
    other.free(block);
}

TEST_F(AllocatorTest, ReallocInAllDirections) {
    constexpr std::size_t kSizes[] = {100,     kMin - 100, kMin,      3 * kMin,
                                      1 << 20, 5u << 20,   kTooLarge, 20u << 20};
    for (const std::size_t from : kSizes) {
        for (const std::size_t to : kSizes) {
            for (const bool crowded : {false, true}) {
                auto* block = static_cast<char*>(allocator_.malloc(from));
                void* behind = crowded ? allocator_.malloc(from) : nullptr;
                const std::size_t kept = std::min(from, to);
                memset(block, 0x11, kept);
                block[kept - 1] = 0x22;
                auto* moved = static_cast<char*>(allocator_.realloc(block, to));
                ASSERT_NE(moved, nullptr);
                EXPECT_TRUE(all_bytes(moved, kept - 1, 0x11)) << from << " to " << to;
                EXPECT_EQ(moved[kept - 1], 0x22);
                EXPECT_GE(allocator_.malloc_usable_size(moved), to);
                if (from < kTooLarge) {
                    EXPECT_EQ(heap_->owns(moved), to >= kMin && to < kTooLarge)
                        << from << " to " << to;
                }
                allocator_.free(moved);
                allocator_.free(behind);
            }
        }
    }
}

TEST_F(AllocatorTest, ReallocOfNothingAndToNothing) {
    void* block = allocator_.realloc(nullptr, kMin);
    EXPECT_TRUE(heap_->owns(block));
    EXPECT_EQ(allocator_.realloc(block, 0), nullptr);
    EXPECT_EQ(heap_->counts().blocks, 0u);
}

TEST_F(AllocatorTest, ReallocWithoutMemoryKeepsTheBlock) {
    char* block = static_cast<char*>(allocator_.malloc(kMin));
    block[0] = 9;
    errno = 0;
    EXPECT_EQ(allocator_.realloc(block, std::size_t{PTRDIFF_MAX}), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(allocator_.reallocarray(block, SIZE_MAX / 2, 3), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(block[0], 9);

    NextMalloc nothing = plain_malloc;
    nothing.malloc = [](std::size_t) -> void* {
        errno = ENOMEM;
        return nullptr;
    };
    Allocator poor{*heap_, nothing};
    poor.start(kMin);
    errno = 77;
    EXPECT_EQ(poor.realloc(block, 100), block) << "a smaller block is always there";
    EXPECT_EQ(errno, 77);
    EXPECT_EQ(block[0], 9);
    allocator_.free(block);
}

TEST_F(AllocatorTest, ProductsThatOverflow) {
    errno = 0;
    EXPECT_EQ(allocator_.calloc(SIZE_MAX / 2, 3), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(allocator_.reallocarray(nullptr, SIZE_MAX / 2, 3), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    void* block = allocator_.reallocarray(nullptr, 1024, 1024);
    EXPECT_TRUE(heap_->owns(block));
    allocator_.free(block);
}

TEST_F(AllocatorTest, CallocIsZeroWhateverWasThere) {
    for (unsigned round = 0; round < 400; round++) {
        const std::size_t size = kMin + (round * 7919) % (1 << 20);
        auto* block = static_cast<unsigned char*>(allocator_.calloc(1, size));
        ASSERT_TRUE(all_bytes(block, size, 0)) << round;
        memset(block, 0xff, allocator_.malloc_usable_size(block));
        allocator_.free(block);
    }
}

TEST_F(AllocatorTest, Aligned) {
    for (std::size_t alignment = 8; alignment <= (4u << 20); alignment *= 2) {
        void* made[3] = {};
        EXPECT_EQ(allocator_.posix_memalign(&made[0], alignment, kMin), 0);
        made[1] = allocator_.memalign(alignment, kMin);
        made[2] = allocator_.aligned_alloc(alignment, kMin);
        for (void* block : made) {
            EXPECT_TRUE(heap_->owns(block));
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u);
            allocator_.free(block);
        }
    }
    // Pools of small objects are not for payload.
    void* pool = allocator_.memalign(16, 8192);
    EXPECT_FALSE(heap_->owns(pool));
    allocator_.free(pool);
    void* result = this;
    for (const std::size_t odd : {0, 1, 4, 24})
        EXPECT_EQ(allocator_.posix_memalign(&result, odd, kMin), EINVAL) << odd;
    EXPECT_EQ(result, this);
    for (void* block : {allocator_.valloc(kMin + 1), allocator_.pvalloc(kMin + 1)}) {
        EXPECT_TRUE(heap_->owns(block));
        EXPECT_GE(allocator_.malloc_usable_size(block), kMin + kPageSize);
        allocator_.free(block);
    }
}

TEST_F(AllocatorTest, FreeKeepsErrno) {
    errno = 77;
    for (unsigned i = 0; i < 300; i++) {
        void* block = allocator_.malloc(1 << 20);
        void* other = allocator_.malloc(1 << 19);
        allocator_.free(block);
        allocator_.free(other);
    }
    EXPECT_EQ(errno, 77);
}

TEST_F(AllocatorTest, MadviseDiscardsWhatIsOurs) {
    char* block = static_cast<char*>(allocator_.malloc(8 * kPageSize));
    memset(block, 1, 8 * kPageSize);
    EXPECT_EQ(allocator_.madvise(block + 2 * kPageSize, kPageSize + 1, MADV_DONTNEED), 0);
    EXPECT_EQ(fake.discards, 1u);
    EXPECT_TRUE(all_bytes(block, 2 * kPageSize, 1));
    EXPECT_TRUE(all_bytes(block + 2 * kPageSize, 2 * kPageSize, 0));
    EXPECT_TRUE(all_bytes(block + 4 * kPageSize, 4 * kPageSize, 1));

    EXPECT_EQ(allocator_.madvise(block, kPageSize, MADV_WILLNEED), 0);
    EXPECT_EQ(fake.discards, 1u);
    EXPECT_EQ(allocator_.madvise(block, 0, MADV_DONTNEED), 0);
    EXPECT_EQ(allocator_.madvise(block + 1, kPageSize, MADV_DONTNEED), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(allocator_.madvise(block, SIZE_MAX, MADV_DONTNEED), -1);
    EXPECT_EQ(allocator_.madvise(block, SIZE_MAX - kArenaSize, MADV_DONTNEED), -1);
    fake.refuse_discards = EBADF;
    EXPECT_EQ(allocator_.madvise(block, kPageSize, MADV_DONTNEED), -1) << "and no old bytes";
    EXPECT_EQ(errno, EBADF);
    allocator_.free(block);
}

TEST_F(AllocatorTest, MadviseOverABorder) {
    char* block = static_cast<char*>(allocator_.malloc(kMin));
    char* base = block - reinterpret_cast<std::uintptr_t>(block) % kArenaSize;
    void* wanted = base + kArenaSize;
    char* mine = static_cast<char*>(mmap(wanted, kPageSize, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    // map_arena() has just given back what was behind it.
    ASSERT_EQ(mine, wanted);
    memset(block, 1, kMin);
    memset(mine, 1, kPageSize);
    EXPECT_EQ(allocator_.madvise(block, static_cast<std::size_t>(mine + kPageSize - block),
                                 MADV_DONTNEED),
              0);
    EXPECT_EQ(fake.discards, 1u);
    EXPECT_TRUE(all_bytes(block, kMin, 0));
    EXPECT_TRUE(all_bytes(mine, kPageSize, 0));
    munmap(mine, kPageSize);
    allocator_.free(block);
}

// NOLINTEND(clang-analyzer-unix.Malloc)

}  // namespace
}  // namespace libra::memory
