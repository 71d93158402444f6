// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "arena_table.h"

namespace libra::memory {
namespace {

// NOLINTNEXTLINE(performance-no-int-to-ptr)
char* slice(std::uintptr_t number) {
    return reinterpret_cast<char*>(number << kArenaShift);
}

TEST(ArenaTable, FindsEveryAddressOfAnArenaAndNoOther) {
    auto table = std::make_unique<ArenaTable>();
    Arena* arena = Arena::create(slice(77));
    ASSERT_TRUE(table->add(arena));
    EXPECT_EQ(table->find(slice(77)), arena);
    EXPECT_EQ(table->find(slice(78) - 1), arena);
    EXPECT_EQ(table->find(slice(77) - 1), nullptr);
    EXPECT_EQ(table->find(slice(78)), nullptr);
    EXPECT_EQ(table->find(nullptr), nullptr);
    EXPECT_EQ(table->find(slice(UINTPTR_MAX >> kArenaShift)), nullptr);
    table->remove(arena);
    EXPECT_EQ(table->find(slice(77)), nullptr);
    EXPECT_EQ(table->size(), 0u);
    Arena::destroy(arena);
}

TEST(ArenaTable, PlacesAreUsedAgain) {
    auto table = std::make_unique<ArenaTable>();
    std::vector<Arena*> arenas;
    for (std::uintptr_t i = 0; i < 5; i++) {
        arenas.push_back(Arena::create(slice(100 + i)));
        ASSERT_TRUE(table->add(arenas.back()));
    }
    table->remove(arenas[1]);
    EXPECT_EQ(table->size(), 5u);
    EXPECT_EQ(table->at(1), nullptr);
    ASSERT_TRUE(table->add(arenas[1]));
    EXPECT_EQ(table->at(1), arenas[1]);
    for (Arena* arena : arenas) {
        EXPECT_EQ(table->find(arena->base), arena);
        table->remove(arena);
        Arena::destroy(arena);
    }
    EXPECT_EQ(table->size(), 0u);
}

TEST(ArenaTable, AddressesPastTheTableAreRefused) {
    auto table = std::make_unique<ArenaTable>();
    Arena* arena = Arena::create(slice(std::uintptr_t{1} << (56 - kArenaShift)));
    EXPECT_FALSE(table->add(arena));
    Arena::destroy(arena);
}

}  // namespace
}  // namespace libra::memory
