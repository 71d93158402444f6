// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "conversation.h"

namespace {

int first_verdict(libra_role role, std::uint32_t flags, libra_dir dir) {
    Conversation talk(kRaw, role, flags);
    talk.feed(dir, "GET / HTTP/1.1\r\n");
    talk.feed(dir, "\r\n");
    EXPECT_EQ(talk.complaint(), "");
    EXPECT_EQ(talk[dir].answers.size(), 1U);
    EXPECT_EQ(talk[dir].answers[0].start, 0U);
    return talk[dir].answers[0].verdict;
}

TEST(Raw, AllIsPayload) {
    for (const auto role : {LIBRA_ROLE_PASSIVE, LIBRA_ROLE_ACTIVE})
        for (const auto dir : {LIBRA_INGRESS, LIBRA_EGRESS})
            EXPECT_EQ(first_verdict(role, LIBRA_F_ANCHOR_REQUESTS, dir), LIBRA_PAYLOAD_UNTIL_CLOSE);
}

// The upstream need not be attached, so nothing may be anchored that goes there.
TEST(Raw, ClientsAreOnlyAnchoredWhenAskedFor) {
    EXPECT_EQ(first_verdict(LIBRA_ROLE_PASSIVE, 0, LIBRA_INGRESS), LIBRA_PASS);
    EXPECT_EQ(first_verdict(LIBRA_ROLE_PASSIVE, 0, LIBRA_EGRESS), LIBRA_PAYLOAD_UNTIL_CLOSE);
    EXPECT_EQ(first_verdict(LIBRA_ROLE_ACTIVE, 0, LIBRA_INGRESS), LIBRA_PAYLOAD_UNTIL_CLOSE);
    EXPECT_EQ(first_verdict(LIBRA_ROLE_ACTIVE, 0, LIBRA_EGRESS), LIBRA_PAYLOAD_UNTIL_CLOSE);
}

}  // namespace
