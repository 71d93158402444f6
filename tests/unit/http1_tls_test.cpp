// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conversation.h"

namespace {

using Segments = std::vector<std::pair<int, std::uint64_t>>;

std::string record(int type, std::size_t size, int major = 3) {
    return std::string{static_cast<char>(type), static_cast<char>(major), 3,
                       static_cast<char>(size >> 8), static_cast<char>(size)} +
           std::string(size & 0xffff, 'x');
}

Segments segments(std::uint32_t flags, libra_dir dir, std::string_view bytes, std::size_t step) {
    Conversation talk(kHttp1, LIBRA_ROLE_PASSIVE, flags);
    for (std::size_t at = 0; at < bytes.size(); at += step)
        talk.feed(dir, bytes.substr(at, step));
    EXPECT_EQ(talk.complaint(), "");
    Segments found;
    for (const Answer& answer : talk[dir].answers)
        found.emplace_back(answer.verdict, answer.length);
    return found;
}

// What becomes of what a client sends, at so many bytes a time.
Segments received(std::string_view bytes, std::size_t step) {
    return segments(0, LIBRA_INGRESS, bytes, step);
}

// And of what is to be encrypted for it.
Segments sent(std::string_view bytes, std::size_t step = 0) {
    return segments(LIBRA_F_KTLS, LIBRA_EGRESS, bytes, step == 0 ? bytes.size() : step);
}

std::string head(std::string_view field, std::string_view status = "200 OK") {
    return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(field) + "\r\n\r\n";
}

TEST(Http1Tls, AHandshakeIsMetadataUpToTheFirstApplicationData) {
    const std::string bytes = record(22, 512) + record(20, 1) + record(22, 40) + record(21, 2) +
                              record(23, 100) + record(22, 10);
    for (const std::size_t step : {1UL, 3UL, 517UL, bytes.size()})
        EXPECT_EQ(received(bytes, step), (Segments{{LIBRA_META, 517},
                                                   {LIBRA_META, 6},
                                                   {LIBRA_META, 45},
                                                   {LIBRA_META, 7},
                                                   {LIBRA_PASS_BOTH, 0}}))
            << step;
}

TEST(Http1Tls, WhatIsNoHandshakePasses) {
    for (const std::string& bytes :
         {record(22, 100, 2), record(22, 16384 + 2049), record(22, 0xffff), record(23, 1)})
        EXPECT_EQ(received(bytes, bytes.size()), (Segments{{LIBRA_PASS_BOTH, 0}}));
    const std::string later = record(22, 10) + record(19, 1);
    EXPECT_EQ(received(later, later.size()), (Segments{{LIBRA_META, 15}, {LIBRA_PASS_BOTH, 0}}));
}

TEST(Http1Tls, NoHandshakeBehindARequest) {
    const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(received(request + record(22, 10), 1000),
              (Segments{{LIBRA_META, request.size()}, {LIBRA_PASS_BOTH, 0}}));
}

TEST(Http1Tls, WhatIsSentMeanwhileNeedNotBeUnderstood) {
    Conversation talk(kHttp1, LIBRA_ROLE_PASSIVE, 0);
    talk.feed(LIBRA_INGRESS, record(22, 10));
    talk.feed(LIBRA_EGRESS, "anything");
    EXPECT_EQ(talk.complaint(), "");
    ASSERT_EQ(talk[LIBRA_EGRESS].answers.size(), 1U);
    EXPECT_EQ(talk[LIBRA_EGRESS].answers[0].verdict, LIBRA_RESYNC);
}

TEST(Http1Tls, AnswersAreReadWithoutRequests) {
    const std::string sized = head("Content-Length: 6");
    const std::string chunked = head("Transfer-Encoding: chunked");
    const std::string cached = head("ETag: x", "304 Not Modified");
    const std::string bytes =
        sized + "abcdef" + cached + chunked + "3\r\nabc\r\n0\r\n\r\n" + sized + "HTTP/1";
    const Segments all = {{LIBRA_META, sized.size()},
                          {LIBRA_PAYLOAD, 6},
                          {LIBRA_META, cached.size()},
                          {LIBRA_META, chunked.size()},
                          {LIBRA_FRAMING, 3},
                          {LIBRA_PAYLOAD_PART, 3},
                          {LIBRA_META, 7},
                          {LIBRA_META, sized.size()},
                          {LIBRA_PASS, 0}};
    Segments found = sent(bytes);
    // The chunked header and its first size may be one segment or two.
    EXPECT_EQ(found.back(), all.back());
    EXPECT_EQ(found.front(), all.front());
    EXPECT_EQ(found, all);
    EXPECT_EQ(sent(bytes, 1), all);
}

TEST(Http1Tls, WhatDependsOnTheRequestPasses) {
    const std::string sized = head("Content-Length: 600");
    // In answer to HEAD.
    EXPECT_EQ(sent(sized + sized), (Segments{{LIBRA_META, sized.size()}, {LIBRA_PASS, 0}}));
    EXPECT_EQ(sent(sized + sized, 1), (Segments{{LIBRA_META, sized.size()}, {LIBRA_PASS, 0}}));
    const std::string chunked = head("Transfer-Encoding: chunked");
    EXPECT_EQ(sent(chunked + sized), (Segments{{LIBRA_META, chunked.size()}, {LIBRA_PASS, 0}}));
    for (const std::string& header : {head("Server: x"), head("Connection: close"),
                                      head("Upgrade: websocket", "101 Switching Protocols")})
        EXPECT_EQ(sent(header + "abc"), (Segments{{LIBRA_PASS, 0}})) << header;
    // HTTP/2 begins with SETTINGS.
    EXPECT_EQ(sent(std::string("\0\0\x12\4\0\0\0\0\0", 9)), (Segments{{LIBRA_PASS, 0}}));
}

TEST(Http1Tls, ABodyOnlyBeginsAlike) {
    const std::string sized = head("Content-Length: 600");
    EXPECT_EQ(sent(sized + "HTTQ"), (Segments{{LIBRA_META, sized.size()}, {LIBRA_PAYLOAD, 600}}));
    EXPECT_EQ(sent(sized + "HTTQ", 1),
              (Segments{{LIBRA_META, sized.size()}, {LIBRA_PAYLOAD, 600}}));
    const std::string little = head("Content-Length: 2");
    EXPECT_EQ(sent(little + "HT"), (Segments{{LIBRA_META, little.size()}, {LIBRA_PASS, 0}}));
    EXPECT_EQ(sent(little + "ab"), (Segments{{LIBRA_META, little.size()}, {LIBRA_PAYLOAD, 2}}));
}

TEST(Http1Tls, WhatIsReceivedThenPasses) {
    EXPECT_EQ(segments(LIBRA_F_KTLS, LIBRA_INGRESS, "GET / HTTP/1.1\r\n\r\n", 100),
              (Segments{{LIBRA_PASS_BOTH, 0}}));
}

constexpr std::uint32_t kBoth = LIBRA_F_KTLS | LIBRA_F_KTLS_RX;

// In the other direction first, if there is anything.
Segments answers(std::uint32_t flags, libra_role role, libra_dir dir, std::string_view bytes,
                 std::string_view before = "") {
    Conversation talk(kHttp1, role, flags);
    if (!before.empty())
        talk.feed(dir == LIBRA_EGRESS ? LIBRA_INGRESS : LIBRA_EGRESS, before);
    talk.feed(dir, bytes);
    EXPECT_EQ(talk.complaint(), "");
    Segments found;
    for (const Answer& answer : talk[dir].answers)
        found.emplace_back(answer.verdict, answer.length);
    return found;
}

TEST(Http1Tls, WhereTheKernelDoesBothItIsHttp) {
    const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string asked = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string sized = head("Content-Length: 5");
    // Of clients, and of upstreams.
    for (const auto& [role, dir] : {std::pair{LIBRA_ROLE_PASSIVE, LIBRA_EGRESS},
                                    std::pair{LIBRA_ROLE_ACTIVE, LIBRA_INGRESS}}) {
        EXPECT_EQ(answers(kBoth, role, dir, sized + "HTTP/", get),
                  (Segments{{LIBRA_META, sized.size()}, {LIBRA_PAYLOAD, 5}}));
        EXPECT_EQ(answers(kBoth, role, dir, sized + sized, asked + asked),
                  (Segments{{LIBRA_META, sized.size()}, {LIBRA_META, sized.size()}}));
        EXPECT_EQ(answers(kBoth, role, dir, sized), (Segments{{LIBRA_PASS, 0}}));
    }
    EXPECT_EQ(answers(kBoth, LIBRA_ROLE_PASSIVE, LIBRA_INGRESS, get + get),
              (Segments{{LIBRA_META, get.size()}, {LIBRA_META, get.size()}}));
}

TEST(Http1Tls, WhoOnlyHasItDecryptedEncryptsByItself) {
    const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(answers(LIBRA_F_KTLS_RX, LIBRA_ROLE_PASSIVE, LIBRA_INGRESS, get),
              (Segments{{LIBRA_PASS_BOTH, 0}}));
    // It may be the end of the handshake.
    EXPECT_EQ(answers(LIBRA_F_KTLS_RX, LIBRA_ROLE_PASSIVE, LIBRA_EGRESS, record(20, 1)),
              (Segments{{LIBRA_RESYNC, 6}}));
    EXPECT_EQ(answers(LIBRA_F_KTLS_RX, LIBRA_ROLE_ACTIVE, LIBRA_INGRESS, head("Content-Length: 5")),
              (Segments{{LIBRA_PASS, 0}}));
    EXPECT_EQ(answers(LIBRA_F_KTLS_RX, LIBRA_ROLE_ACTIVE, LIBRA_EGRESS, get),
              (Segments{{LIBRA_PASS, 0}}));
}

}  // namespace
