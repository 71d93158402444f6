// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <cstring>

#include "bootstrap.h"

namespace libra::memory {
namespace {

TEST(Bootstrap, GivesAlignedZerosUntilTheyAreUsedUp) {
    Bootstrap bootstrap;
    char* last = nullptr;
    std::size_t total = 0;
    while (auto* block = static_cast<char*>(bootstrap.allocate(100, 64))) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
        EXPECT_TRUE(bootstrap.owns(block) && bootstrap.owns(block + 99));
        EXPECT_GE(bootstrap.size_at_most(block), 100u);
        if (last) {
            EXPECT_GE(block, last + 100);
        }
        for (unsigned i = 0; i < 100; i++)
            EXPECT_EQ(block[i], 0);
        memset(block, 1, 100);
        last = block;
        total += 100;
    }
    EXPECT_GT(total, 8000u);
    EXPECT_EQ(bootstrap.allocate(SIZE_MAX), nullptr);
    EXPECT_FALSE(bootstrap.owns(nullptr));
    EXPECT_FALSE(bootstrap.owns(&bootstrap + 1));
}

}  // namespace
}  // namespace libra::memory
