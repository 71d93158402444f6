// SPDX-License-Identifier: GPL-2.0-only
//
// What vectors do not say of the example in bpf/examples/parser-redis.
#include <gtest/gtest.h>

#include "conversation.h"

namespace {

// The upstream need not be attached, so nothing may be anchored that goes there.
TEST(Redis, ClientsAreOnlyAnchoredWhenAskedFor) {
    const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    Conversation talk(kRedis, LIBRA_ROLE_PASSIVE, 0);
    talk.feed(LIBRA_INGRESS, get);
    ASSERT_EQ(talk[LIBRA_INGRESS].answers.size(), 1U);
    EXPECT_EQ(talk[LIBRA_INGRESS].answers[0].verdict, LIBRA_PASS);
    EXPECT_EQ(talk[LIBRA_INGRESS].answers[0].event, kReasonEvent + LIBRA_REASON_COPIED);
    talk.feed(LIBRA_EGRESS, "$5000\r\n" + std::string(5000, 'v') + "\r\n");
    ASSERT_EQ(talk[LIBRA_EGRESS].answers.size(), 3U);
    EXPECT_EQ(talk[LIBRA_EGRESS].answers[1].verdict, LIBRA_PAYLOAD_PART);
}

// However a line comes in, each of its bytes is looked at once.
TEST(Redis, LongLinesAreSearchedOnce) {
    Conversation talk(kRedis, LIBRA_ROLE_ACTIVE, 0);
    for (int i = 0; i < 10000; i++)
        talk.feed(LIBRA_INGRESS, i ? "e" : "-");
    talk.feed(LIBRA_INGRESS, "\r\n");
    EXPECT_EQ(talk.complaint(), "");
    ASSERT_EQ(talk[LIBRA_INGRESS].answers.size(), 1U);
    EXPECT_EQ(talk[LIBRA_INGRESS].answers[0].length, 10002U);
    EXPECT_LE(talk.searched(), 10002U);
}

}  // namespace
