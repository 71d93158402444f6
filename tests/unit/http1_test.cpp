// SPDX-License-Identifier: GPL-2.0-only
//
// What the HTTP/1 vectors cannot say of themselves.
#include <gtest/gtest.h>

#include <set>

#include "conversation.h"
#include "http1_vectors.h"

namespace {

// Or a peer that sends byte by byte makes the kernel work quadratically.
TEST(Http1, LooksAtBytesAFewTimesHoweverTheyCome) {
    const std::string text = "GET / HTTP/1.1\r\nCookie: " + std::string(20000, 'c') + "\r\n\r\n";
    Conversation talk(kHttp1, LIBRA_ROLE_PASSIVE, 0);
    for (const char c : text)
        talk.feed(LIBRA_INGRESS, {&c, 1});
    ASSERT_EQ(talk[LIBRA_INGRESS].answers.size(), 1U);
    EXPECT_EQ(talk[LIBRA_INGRESS].answers[0].length, text.size());
    EXPECT_LE(talk.searched(), 4 * text.size());
}

TEST(Http1Vectors, NamesAreUniqueAndEveryEventOccurs) {
    std::set<std::string> names;
    std::set<int> passes;
    for (const Vector& v : http1_vectors()) {
        EXPECT_TRUE(names.insert(v.name).second) << v.name;
        for (const Step& step : v.steps)
            for (const Segment& s : step.segments)
                if (s.verdict == LIBRA_PASS)
                    passes.insert(s.event);
    }
    for (int event = HTTP1_PASS_START; event < HTTP1_EVENT_MAX; event++)
        EXPECT_TRUE(passes.contains(event)) << "no vector passes with event " << event;
}

}  // namespace
