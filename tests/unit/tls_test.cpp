// SPDX-License-Identifier: GPL-2.0-only
//
// What the TLS vectors cannot say of themselves.
#include <gtest/gtest.h>

#include <set>

#include "conversation.h"
#include "tls_vectors.h"

namespace {

// The upstream need not be attached, so nothing may be anchored that goes there.
TEST(Tls, ClientsAreOnlyAnchoredWhenAskedFor) {
    Conversation talk(kTls, LIBRA_ROLE_PASSIVE, 0);
    talk.feed(LIBRA_INGRESS, tls_record_of(22, 1, tls_hello_of(1, 200)));
    talk.feed(LIBRA_EGRESS, tls_record_of(22, 3, tls_hello_of(2, 80)) + tls_record_of(23, 3, "a"));
    ASSERT_EQ(talk[LIBRA_INGRESS].answers.size(), 1U);
    EXPECT_EQ(talk[LIBRA_INGRESS].answers[0],
              (Answer{.verdict = LIBRA_PASS, .event = TLS_PASS_COPIED}));
    ASSERT_EQ(talk[LIBRA_EGRESS].answers.size(), 3U);
    EXPECT_EQ(talk[LIBRA_EGRESS].answers[2].verdict, LIBRA_PAYLOAD_PART);
}

TEST(TlsVectors, NamesAreUniqueAndEveryEventOccurs) {
    std::set<std::string> names;
    std::set<int> passes{TLS_PASS_COPIED};  // see above
    for (const Vector& v : tls_vectors()) {
        EXPECT_TRUE(names.insert(v.name).second) << v.name;
        for (const Step& step : v.steps)
            for (const Segment& s : step.segments)
                if (s.verdict == LIBRA_PASS)
                    passes.insert(s.event);
    }
    for (int event = TLS_PASS_COPIED; event < TLS_EVENT_MAX; event++)
        EXPECT_TRUE(passes.contains(event)) << "no vector passes with event " << event;
}

}  // namespace
