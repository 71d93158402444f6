// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "breaker.h"

namespace libra {
namespace {

using namespace std::chrono_literals;

constexpr Breaker kLimit = {.fail_stops = 3, .seconds = 60};

class BreakerTest : public testing::Test {
  protected:
    bool trips(std::chrono::seconds at, std::uint64_t total, const Breaker& limit = kLimit) {
        return watch_.trips(limit, total, BreakerWatch::Clock::time_point(1000s) + at);
    }
    BreakerWatch watch_;
};

TEST_F(BreakerTest, CountsWithinItsTime) {
    EXPECT_FALSE(trips(0s, 10));  // what came before is not counted
    EXPECT_FALSE(trips(1s, 12));
    EXPECT_TRUE(trips(2s, 13));
}

TEST_F(BreakerTest, ForgetsWhatIsOlder) {
    EXPECT_FALSE(trips(0s, 0));
    for (int i = 1; i < 100; ++i)
        EXPECT_FALSE(trips(31s * i, static_cast<std::uint64_t>(i))) << i;
}

TEST_F(BreakerTest, IsExactAtTheEnd) {
    EXPECT_FALSE(trips(0s, 0));
    EXPECT_FALSE(trips(10s, 1));
    EXPECT_FALSE(trips(69s, 2));  // the first counts until 70
    EXPECT_TRUE(trips(70s, 4));
}

TEST_F(BreakerTest, MayBeOff) {
    EXPECT_FALSE(trips(0s, 0, {.fail_stops = 0, .seconds = 0}));
    EXPECT_FALSE(trips(1s, 1000, {.fail_stops = 0, .seconds = 0}));
}

TEST_F(BreakerTest, BeginsAnewWithTheKernel) {
    EXPECT_FALSE(trips(0s, 100));
    EXPECT_FALSE(trips(1s, 2));
    EXPECT_TRUE(trips(2s, 5));
}

}  // namespace
}  // namespace libra
