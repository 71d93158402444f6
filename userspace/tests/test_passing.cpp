// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "passing.h"

namespace libra {
namespace {

TEST(Passing, ReadsWhatTheKernelWrites) {
    const auto domains = parse_passing(
        "domain 7 clients 20 upstreams 0\n"
        "client 192.0.2.7:4711 127.0.0.1:80 fallback_parser_pass 12 changes\n"
        "client [2001:db8::7]:4712 [::1]:80 fallback_adopted 3\n"
        "domain 8 clients 0 upstreams 1\n"
        "upstream 10.0.0.1:80 10.0.0.2:3000 fallback_ulp 0\n");
    ASSERT_TRUE(domains) << domains.error().message();
    ASSERT_EQ(domains->size(), 2U);
    const PassingDomain& first = domains->front();
    EXPECT_EQ(first.domain, 7U);
    EXPECT_EQ(first.clients, 20U);
    ASSERT_EQ(first.oldest.size(), 2U);
    EXPECT_EQ(first.oldest[0].said, "changes");
    EXPECT_EQ(first.oldest[0].seconds, 12U);
    EXPECT_EQ(first.oldest[1].said, "");
    EXPECT_EQ(first.oldest[1].role, "client");
    EXPECT_EQ(first.oldest[1].peer, "[2001:db8::7]:4712");
    EXPECT_EQ(first.oldest[1].local, "[::1]:80");
    EXPECT_EQ(first.oldest[1].reason, "fallback_adopted");
    EXPECT_EQ(first.oldest[1].seconds, 3U);
    EXPECT_EQ(domains->back().upstreams, 1U);
    EXPECT_TRUE(parse_passing("")->empty());
}

TEST(Passing, RefusesWhatItDoesNotKnow) {
    for (const char* text : {"x\n", "domain x clients 1 upstreams 2\n", "domain 1 clients 1\n",
                             "client a b c 1\n", "domain 1 clients 1 upstreams 0\nclient a b\n"})
        EXPECT_FALSE(parse_passing(text)) << text;
}

TEST(Passing, AnOlderKernelHasNone) {
    const auto domains = read_passing("/nonexistent");
    ASSERT_TRUE(domains);
    EXPECT_TRUE(domains->empty());
}

}  // namespace
}  // namespace libra
