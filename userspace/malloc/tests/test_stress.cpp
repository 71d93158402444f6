// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <string.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "fake_source.h"

namespace libra::memory {
namespace {

constexpr unsigned kThreads = 8;
constexpr unsigned kRounds = 4000;
constexpr std::size_t kMin = 8192;

struct Item {
    unsigned char* block = nullptr;
    std::size_t size = 0;
    unsigned char pattern = 0;

    // A byte at the start of each page and the last one: all that two blocks could share.
    void fill() const {
        for (std::size_t at = 0; at < size; at += kPageSize)
            block[at] = pattern;
        block[size - 1] = pattern;
    }
    bool holds(std::size_t length) const {
        for (std::size_t at = 0; at < length; at += kPageSize)
            if (block[at] != pattern)
                return false;
        return true;
    }
    bool is_zero() const {
        for (std::size_t at = 0; at < size; at += kPageSize)
            if (block[at] != 0)
                return false;
        return block[size - 1] == 0;
    }
};

// NOLINTBEGIN(cppcoreguidelines-no-malloc, cppcoreguidelines-owning-memory): the subject
TEST(Stress, ThreadsShareAHeapAndFreeEachOthersBlocks) {
    TestHeap heap;
    Allocator allocator{*heap, plain_malloc};
    allocator.start(kMin);
    std::array<std::atomic<Item*>, 32> exchange{};
    std::atomic<unsigned> wrong{0};

    const auto work = [&](unsigned number) {
        std::mt19937 random(number);
        const auto some_size = [&] {
            const unsigned kind = random() % 16;
            return std::size_t{kind == 0   ? 100 + random() % kMin
                               : kind == 1 ? (1 << 20) + random() % (3 << 20)
                                           : 4096 + random() % (256 << 10)};
        };
        std::vector<Item> mine(12);
        for (unsigned round = 0; round < kRounds; round++) {
            Item& item = mine[random() % mine.size()];
            if (item.block) {
                wrong += !item.holds(item.size);
                const unsigned what = random() % 8;
                if (what == 0) {
                    const std::size_t size = some_size();
                    item.block = static_cast<unsigned char*>(allocator.realloc(item.block, size));
                    wrong += !item.holds(std::min(size, item.size));
                    item.size = size;
                    item.fill();
                    continue;
                }
                if (what == 1) {
                    Item* theirs = exchange[random() % exchange.size()].exchange(new Item(item));
                    item = {};
                    if (theirs) {
                        wrong += !theirs->holds(theirs->size);
                        allocator.free(theirs->block);
                        delete theirs;
                    }
                    continue;
                }
                allocator.free(item.block);
            }
            item.size = some_size();
            item.pattern = static_cast<unsigned char>(1 + random() % 255);
            if (random() % 4 == 0) {
                item.block = static_cast<unsigned char*>(allocator.calloc(1, item.size));
                wrong += !item.is_zero();
            } else {
                const std::size_t alignment = std::size_t{16} << random() % 14;
                item.block = static_cast<unsigned char*>(
                    random() % 4 ? allocator.malloc(item.size)
                                 : allocator.memalign(alignment, item.size));
            }
            item.fill();
        }
        for (const Item& item : mine)
            allocator.free(item.block);
    };

    std::vector<std::thread> threads;
    for (unsigned number = 0; number < kThreads; number++)
        threads.emplace_back(work, number);
    for (std::thread& thread : threads)
        thread.join();
    for (auto& place : exchange)
        if (Item* left = place.exchange(nullptr)) {
            wrong += !left->holds(left->size);
            allocator.free(left->block);
            delete left;
        }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(heap->counts().blocks, 0u);
}

// NOLINTEND(cppcoreguidelines-no-malloc, cppcoreguidelines-owning-memory)

}  // namespace
}  // namespace libra::memory
