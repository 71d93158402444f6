// SPDX-License-Identifier: GPL-2.0-only
// What programs may expect of malloc, whoever it is: run with the C library alone and
// with the library preloaded; LIBRA_MALLOC_EXPECT=payload: blocks are to come from
// an arena over private memory, and all that is said of that is checked as well.
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <vector>

#include "libra_malloc.h"

#pragma weak libra_malloc_stats

// NOLINTBEGIN(cppcoreguidelines-*, clang-analyzer-*): malloc is the subject
namespace {

// Sizes around all borders: the minimum, a class, the largest block.
constexpr std::size_t kSizes[] = {0,     1,     100,     4095,    4096,      16383,          16384,
                                  16385, 65536, 1 << 20, 3 << 20, 16u << 20, (16u << 20) + 1};

bool expect_payload() {
    return getenv("LIBRA_MALLOC_EXPECT") != nullptr;
}

bool page_aligned(const void* block) {
    return reinterpret_cast<std::uintptr_t>(block) % 4096 == 0;
}

struct libra_malloc_stats stats() {
    struct libra_malloc_stats now {};
    EXPECT_EQ(libra_malloc_stats(&now), 0);
    return now;
}

// The compiler is not to know.
std::size_t opaque(std::size_t size) {
    volatile std::size_t hidden = size;
    return hidden;
}

TEST(Family, EverySizeIsWritableAndFreeKeepsErrno) {
    for (const std::size_t size : kSizes) {
        char* block = static_cast<char*>(malloc(size));
        ASSERT_NE(block, nullptr);
        EXPECT_GE(malloc_usable_size(block), size);
        memset(block, 1, malloc_usable_size(block));
        errno = 77;
        free(block);
        EXPECT_EQ(errno, 77);
    }
    free(nullptr);
}

TEST(Family, CallocIsZero) {
    for (unsigned round = 0; round < 3; round++)
        for (const std::size_t size : kSizes) {
            auto* block = static_cast<char*>(calloc(1, size));
            ASSERT_NE(block, nullptr);
            EXPECT_TRUE(std::all_of(block, block + size, [](char byte) { return byte == 0; }));
            memset(block, 1, size);
            free(block);
        }
}

TEST(Family, ReallocKeepsTheBytes) {
    for (const std::size_t from : kSizes)
        for (const std::size_t to : kSizes) {
            if (to == 0)
                continue;
            char* block = static_cast<char*>(malloc(from));
            memset(block, 5, from);
            block = static_cast<char*>(realloc(block, to));
            ASSERT_NE(block, nullptr);
            EXPECT_TRUE(std::all_of(block, block + std::min(from, to),
                                    [](char byte) { return byte == 5; }));
            free(block);
        }
    for (const std::size_t size : {std::size_t{100}, std::size_t{1 << 20}})
        EXPECT_EQ(realloc(malloc(size), opaque(0)), nullptr);
}

TEST(Family, WhatCannotBe) {
    const std::size_t huge = opaque(PTRDIFF_MAX);
    const auto refused = [](void* block) {
        const bool so = block == nullptr && errno == ENOMEM;
        errno = 0;
        return so;
    };
    errno = 0;
    EXPECT_TRUE(refused(malloc(huge)));
    EXPECT_TRUE(refused(malloc(opaque(SIZE_MAX))));
    EXPECT_TRUE(refused(calloc(huge, 4)));
    EXPECT_TRUE(refused(calloc(4, huge)));
    EXPECT_TRUE(refused(reallocarray(nullptr, huge, 4)));
    EXPECT_TRUE(refused(memalign(4096, opaque(SIZE_MAX - 100))));
    EXPECT_TRUE(refused(aligned_alloc(4096, huge)));
    EXPECT_TRUE(refused(valloc(opaque(SIZE_MAX - 100))));
    EXPECT_TRUE(refused(pvalloc(opaque(SIZE_MAX - 100))));
    char* block = static_cast<char*>(malloc(1 << 20));
    block[0] = 6;
    EXPECT_TRUE(refused(realloc(block, huge)));
    EXPECT_TRUE(refused(reallocarray(block, huge, 4)));
    EXPECT_EQ(block[0], 6);
    free(block);

    void* result = &result;
    errno = 77;
    EXPECT_EQ(posix_memalign(&result, 4096, huge), ENOMEM);
    for (const std::size_t odd : {0, 4, 24, 4097})
        EXPECT_EQ(posix_memalign(&result, opaque(odd), 1 << 20), EINVAL) << odd;
    EXPECT_EQ(result, &result);
}

TEST(Family, Alignment) {
    for (const std::size_t size : kSizes)
        for (std::size_t alignment = 8; alignment <= (32u << 20); alignment *= 4) {
            void* made[3] = {};
            EXPECT_EQ(posix_memalign(&made[0], alignment, size), 0);
            made[1] = memalign(alignment, size);
            made[2] = aligned_alloc(alignment, size);
            for (void* block : made) {
                ASSERT_NE(block, nullptr);
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u);
                EXPECT_GE(malloc_usable_size(block), size);
                memset(block, 1, size);
                free(block);
            }
        }
    for (const std::size_t size : kSizes)
        for (void* block : {valloc(size), pvalloc(size)}) {
            ASSERT_NE(block, nullptr);
            EXPECT_TRUE(page_aligned(block));
            free(block);
        }
    // Not a power of two: rounded up, as the C library does.
    for (void* block : {memalign(opaque(24), 100), memalign(opaque(5000), 1 << 20)}) {
        ASSERT_NE(block, nullptr);
        free(block);
    }
}

TEST(Family, MadviseGivesZeros) {
    char* block = static_cast<char*>(aligned_alloc(4096, 1 << 20));
    memset(block, 1, 1 << 20);
    EXPECT_EQ(madvise(block + 4096, 8192, MADV_DONTNEED), 0);
    EXPECT_EQ(block[4095], 1);
    EXPECT_TRUE(std::all_of(block + 4096, block + 12288, [](char byte) { return byte == 0; }));
    EXPECT_EQ(block[12288], 1);
    EXPECT_EQ(posix_madvise(block, 4096, POSIX_MADV_DONTNEED), 0);
    EXPECT_EQ(block[0], 1) << "POSIX's advice gives nothing up";
    EXPECT_EQ(madvise(block + 1, 4096, MADV_DONTNEED), -1);
    EXPECT_EQ(errno, EINVAL);
    free(block);
}

TEST(Family, ForkBesideThreads) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < 3; number++)
        threads.emplace_back([&] {
            while (!stop) {
                void* block = malloc(1 << 19);
                memset(block, 1, 4096);
                free(block);
            }
        });
    char* kept = static_cast<char*>(malloc(1 << 18));
    memset(kept, 8, 1 << 18);
    for (unsigned round = 0; round < 50; round++) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            alarm(20);
            char* block = static_cast<char*>(calloc(1, 1 << 18));
            const bool good = block[12345] == 0 && kept[12345] == 8;
            memset(kept, 9, 1 << 18);
            free(kept);
            free(block);
            _exit(good ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0);
    }
    EXPECT_EQ(kept[12345], 8);
    free(kept);
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
}

TEST(Family, Stats) {
    ASSERT_NE(&libra_malloc_stats, nullptr) << "not preloaded";
    void* block = malloc(1 << 20);
    struct libra_malloc_stats now = stats();
    EXPECT_EQ(now.min_block, 16384u);
    EXPECT_EQ(libra_malloc_stats(nullptr), -1);
    EXPECT_EQ(errno, EINVAL);
    if (expect_payload()) {
        EXPECT_EQ(now.device, LIBRA_MALLOC_ORDINARY);
        EXPECT_TRUE(page_aligned(block));
        EXPECT_GE(now.bytes, std::size_t{1} << 20);
        const std::size_t blocks = now.blocks;
        free(block);
        EXPECT_EQ(stats().blocks, blocks - 1);
    } else if (now.device != LIBRA_MALLOC_OPEN) {
        EXPECT_NE(now.device_errno, 0);
        EXPECT_EQ(now.blocks, 0u);
        EXPECT_GT(now.fallbacks, 0u);
        free(block);
    } else {
        free(block);
    }
}

}  // namespace
// NOLINTEND(cppcoreguidelines-*, clang-analyzer-*)
