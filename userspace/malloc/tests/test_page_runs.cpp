// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

#include "page_runs.h"

namespace libra::memory {
namespace {

constexpr std::uint32_t kNone = PageRuns::kNone;

TEST(SizeClass, FourToADoublingAndNoneIsSkipped) {
    constexpr std::uint32_t kFirst[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32};
    for (unsigned index = 0; index < std::size(kFirst); index++)
        EXPECT_EQ(class_pages(index), kFirst[index]);
    for (std::uint32_t pages = 1; pages <= kArenaPages; pages++) {
        ASSERT_LE(class_pages(class_below(pages)), pages);
        ASSERT_GE(class_pages(class_above(pages)), pages);
        ASSERT_LE(class_above(pages) - class_below(pages), 1u);
        if (class_below(pages) + 1 < kClasses) {
            ASSERT_GT(class_pages(class_below(pages) + 1), pages);
        }
    }
    EXPECT_EQ(block_pages(1), 1u);
    EXPECT_EQ(block_pages(16384), 4u);
    EXPECT_EQ(block_pages(16385), 5u);
    EXPECT_EQ(block_pages(8 * kPageSize + 1), 10u);
}

// Of the classes, the longest that fits.
constexpr std::uint32_t kLongest = class_pages(class_below(kBlockPages));

class PageRunsTest : public testing::Test {
  protected:
    PageRunsTest() { runs_->init(); }

    // The books add up, and every free page is where it can be found.
    void check() {
        std::uint32_t used = 0, dirty = 0, clean = 0;
        bool behind_clean = false;
        for (std::uint32_t page = 0; page < kBlockPages; page += runs_->length(page)) {
            ASSERT_GT(runs_->length(page), 0u);
            used += runs_->is_used(page) ? runs_->length(page) : 0;
            dirty += runs_->is_dirty(page) ? runs_->length(page) : 0;
            clean += runs_->is_clean(page) ? runs_->length(page) : 0;
            ASSERT_FALSE(runs_->is_clean(page) && behind_clean) << "clean neighbours, not joined";
            behind_clean = runs_->is_clean(page);
        }
        ASSERT_EQ(used, runs_->used_pages());
        ASSERT_EQ(dirty, runs_->dirty_pages());
        ASSERT_EQ(clean, runs_->clean_pages());
        ASSERT_EQ(used + dirty + clean, kBlockPages);
    }

    // The last one that was freed of a class.
    std::uint32_t take_dirty(unsigned index) {
        const std::uint32_t page = runs_->first_dirty(index);
        if (page != kNone)
            runs_->take_dirty(page);
        return page;
    }

    void launder_all() {
        while (runs_->oldest_dirty() != kNone) {
            const std::uint32_t page = runs_->oldest_dirty();
            runs_->begin_launder(page);
            runs_->end_launder(page);
        }
    }

    std::unique_ptr<PageRuns> runs_ = std::make_unique<PageRuns>();
};

TEST_F(PageRunsTest, LastFreedIsUsedFirst) {
    const auto a = runs_->take_clean(4), b = runs_->take_clean(4), c = runs_->take_clean(4);
    for (const auto page : {b, a, c})
        runs_->give(page);
    EXPECT_EQ(take_dirty(class_below(5)), kNone);
    for (const auto page : {c, a, b})
        EXPECT_EQ(take_dirty(class_below(4)), page);
    EXPECT_EQ(take_dirty(class_below(4)), kNone);
}

TEST_F(PageRunsTest, OldestIsLaunderedFirstAndNeighboursAreJoined) {
    const auto a = runs_->take_clean(4), b = runs_->take_clean(4), c = runs_->take_clean(8);
    for (const auto page : {c, a, b})
        runs_->give(page);
    for (const auto page : {c, a, b}) {
        EXPECT_EQ(runs_->oldest_dirty(), page);
        runs_->begin_launder(page);
        runs_->end_launder(page);
        check();
    }
    EXPECT_EQ(runs_->take_clean(kLongest), 0u);
}

TEST_F(PageRunsTest, WhatCannotBeLaunderedIsDirtyAgain) {
    const auto a = runs_->take_clean(4);
    runs_->give(a);
    runs_->begin_launder(a);
    EXPECT_EQ(take_dirty(class_below(4)), kNone);
    runs_->cancel_launder(a);
    check();
    EXPECT_EQ(take_dirty(class_below(4)), a);
}

TEST_F(PageRunsTest, AlignedRunsLeaveNothingLost) {
    const auto a = runs_->take_clean(1);
    for (std::uint32_t alignment = 1; alignment <= 4096; alignment *= 2) {
        const auto page = runs_->take_clean(5, alignment);
        ASSERT_NE(page, kNone);
        EXPECT_EQ(page % alignment, 0u);
        check();
        runs_->give(page);
    }
    EXPECT_EQ(runs_->take_clean(kLongest, 4096), kNone);
    runs_->give(a);
    launder_all();
    EXPECT_EQ(runs_->clean_pages(), kBlockPages);
    check();
}

TEST_F(PageRunsTest, GrowsIntoCleanPagesOnly) {
    const auto a = runs_->take_clean(4), b = runs_->take_clean(4), c = runs_->take_clean(4);
    EXPECT_FALSE(runs_->grow(a, 5));
    runs_->give(b);
    EXPECT_FALSE(runs_->grow(a, 5));
    runs_->begin_launder(b);
    EXPECT_FALSE(runs_->grow(a, 5));
    runs_->end_launder(b);
    EXPECT_FALSE(runs_->grow(a, 9));
    EXPECT_TRUE(runs_->grow(a, 6));
    EXPECT_EQ(runs_->length(a), 6u);
    check();
    EXPECT_TRUE(runs_->grow(a, 8));
    EXPECT_FALSE(runs_->grow(a, 9));
    EXPECT_FALSE(runs_->grow(c, kBlockPages));
    check();
}

TEST_F(PageRunsTest, ShrinkCutsTheEndOff) {
    const auto a = runs_->take_clean(20);
    const auto cut = runs_->shrink(a, 8);
    EXPECT_EQ(cut, a + 8);
    EXPECT_EQ(runs_->length(cut), 12u);
    EXPECT_EQ(runs_->used_pages(), 8u);
    runs_->end_launder(cut);
    check();
}

// Against a model that knows who owns each page.
TEST_F(PageRunsTest, RandomUseKeepsRunsApart) {
    std::mt19937 random(1);
    std::map<std::uint32_t, std::uint32_t> mine;
    const auto pick = [&] {
        return std::next(mine.begin(), static_cast<std::ptrdiff_t>(random() % mine.size()));
    };
    const auto own = [&](std::uint32_t page) {
        const auto [at, added] = mine.emplace(page, runs_->length(page));
        ASSERT_TRUE(added);
        if (at != mine.begin()) {
            ASSERT_LE(std::prev(at)->first + std::prev(at)->second, page);
        }
        if (std::next(at) != mine.end()) {
            ASSERT_LE(page + runs_->length(page), std::next(at)->first);
        }
    };
    for (unsigned round = 0; round < 60000; round++) {
        const unsigned index = random() % 40;
        const std::uint32_t pages = class_pages(index);
        switch (random() % 8) {
            case 0:
            case 1:
                if (const auto page = take_dirty(index); page != kNone)
                    own(page);
                break;
            case 2:
            case 3: {
                const std::uint32_t alignment = random() % 4 ? 1 : 1u << random() % 8;
                if (const auto page = runs_->take_clean(pages, alignment); page != kNone) {
                    ASSERT_EQ(page % alignment, 0u);
                    ASSERT_EQ(runs_->length(page), pages);
                    own(page);
                }
                break;
            }
            case 4:
            case 5:
                if (!mine.empty()) {
                    const auto victim = pick();
                    runs_->give(victim->first);
                    mine.erase(victim);
                }
                break;
            case 6:
                if (const auto page = runs_->oldest_dirty(); page != kNone) {
                    runs_->begin_launder(page);
                    runs_->end_launder(page);
                }
                break;
            case 7:
                if (!mine.empty()) {
                    const auto [page, old] = *pick();
                    if (pages > old)
                        runs_->grow(page, pages);
                    else if (pages < old)
                        runs_->end_launder(runs_->shrink(page, pages));
                    mine.erase(page);
                    own(page);
                }
        }
        if (round % 64 == 0)
            check();
        if (HasFatalFailure())
            return;
    }
    for (const auto& [page, pages] : mine)
        runs_->give(page);
    launder_all();
    EXPECT_EQ(runs_->take_clean(kLongest), 0u) << "memory was lost";
}

}  // namespace
}  // namespace libra::memory
