// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>

#include "settings.h"

namespace libra::memory {
namespace {

TEST(Settings, MinimumIsADecimalNumberWithinBounds) {
    EXPECT_EQ(parse_min("4096"), 4096u);
    EXPECT_EQ(parse_min("16384"), 16384u);
    EXPECT_EQ(parse_min("1073741824"), kHighestMin);
    for (const char* bad : {"", "4095", "1073741825", "-4096", "16k", " 16384", "16384 ", "0x4000",
                            "99999999999999999999999999"})
        EXPECT_FALSE(parse_min(bad)) << bad;
}

TEST(Settings, ABadMinimumIsNamedOnceAndTheDefaultTaken) {
    setenv("LIBRA_MALLOC_MIN", "twelve", 1);
    testing::internal::CaptureStderr();
    EXPECT_EQ(read_settings().min_block, kDefaultMin);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "libra-malloc: LIBRA_MALLOC_MIN=twelve is not a number from 4096 to 1073741824, "
              "so 16384 it is\n");
    setenv("LIBRA_MALLOC_MIN", "8192", 1);
    EXPECT_EQ(read_settings().min_block, 8192u);
    unsetenv("LIBRA_MALLOC_MIN");
    EXPECT_EQ(read_settings().min_block, kDefaultMin);
}

TEST(Settings, Verbose) {
    EXPECT_FALSE(read_settings().verbose);
    setenv("LIBRA_MALLOC_VERBOSE", "1", 1);
    EXPECT_TRUE(read_settings().verbose);
    unsetenv("LIBRA_MALLOC_VERBOSE");
}

TEST(Settings, Device) {
    EXPECT_FALSE(read_settings().ordinary);
    setenv("LIBRA_MALLOC_DEVICE", "none", 1);
    EXPECT_TRUE(read_settings().ordinary);
    setenv("LIBRA_MALLOC_DEVICE", "/dev/zero", 1);
    testing::internal::CaptureStderr();
    EXPECT_FALSE(read_settings().ordinary);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "libra-malloc: LIBRA_MALLOC_DEVICE=/dev/zero is not none, so it is not heeded\n");
    unsetenv("LIBRA_MALLOC_DEVICE");
}

}  // namespace
}  // namespace libra::memory
