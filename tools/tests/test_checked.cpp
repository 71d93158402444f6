// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "checked.h"

namespace libra {
namespace {

std::string hex(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        out += kDigits[static_cast<unsigned char>(c) >> 4];
        out += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

TEST(Checked, SaysWhichMessageItWas) {
    const auto altered = parse_altered(
        "upstream 10.0.0.7:8080 10.0.0.1:40000 3 1 65536 12 " +
        hex("GET /shop/list?key=secret HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n") + " " +
        hex("HTTP/1.1 200 OK\r\nServer: s\r\nCONTENT-Type:  text/html\r\nX: y\r\n") + "\n");
    ASSERT_TRUE(altered) << altered.error().message();
    EXPECT_EQ(altered->dump(),
              R"([{"from":"upstream","peer":"10.0.0.7:8080","local":"10.0.0.1:40000","policy":3,)"
              R"("domain":1,"bytes":65536,"seconds":12,"request":"GET /shop/list",)"
              R"("content_type":"text/html"}])");
}

// Of what a client sent, the request is its own header.
TEST(Checked, ClientsAskThemselves) {
    const auto altered = parse_altered("client [::1]:9 [::1]:80 1 1 5000 0 - " +
                                       hex("POST /up HTTP/1.1\r\ncontent-type:a/b\r\n") + "\n");
    ASSERT_TRUE(altered) << altered.error().message();
    EXPECT_EQ((*altered)[0]["request"], "POST /up");
    EXPECT_EQ((*altered)[0]["content_type"], "a/b");
}

// Headers are of whoever sent them, and may end anywhere.
TEST(Checked, HostileHeadersDoNotReachATerminal) {
    for (const std::string& header :
         {std::string("\x1b[2J \x1b]0;x\a"), std::string("GET \xff\xfe\n\x80 x"), std::string("GET "),
          std::string("\r\n\r\n"), std::string(3, '\0'), std::string("content-type:")}) {
        const auto altered = parse_altered("upstream 1.2.3.4:5 1.2.3.4:6 1 1 5000 0 " +
                                           hex(header) + " " + hex(header) + "\n");
        ASSERT_TRUE(altered) << altered.error().message();
        for (const char c : report_checked(checked_answer({{"checked_messages", 1}}, *altered)))
            EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
        EXPECT_NO_THROW(to_line(*altered));
    }
}

TEST(Checked, RefusesWhatIsOfAnotherVersion) {
    for (const char* line : {"upstream\n", "a b c 1 2 3 4 - - -\n", "a b c 1 2 x 4 - -\n",
                             "a b c 1 2 3 4 0 -\n", "a b c 1 2 3 4 zz -\n", "\n"})
        EXPECT_FALSE(parse_altered(line)) << line;
    EXPECT_TRUE(parse_altered(""));
}

TEST(Checked, TellsWhatWasFound) {
    const KernelStats none = {{"attach", 3}};
    EXPECT_NE(report_checked(checked_answer(none, Json::array())).find("no messages"),
              std::string::npos);
    const KernelStats some = {{"rx_dry_run_bytes", 1000}, {"rx_anchorable_bytes", 987},
                              {"checked_messages", 12345}, {"checked_altered", 0},
                              {"checked_unsent", 2},       {"checked_skipped", 0}};
    const auto answer = checked_answer(some, Json::array());
    EXPECT_EQ(answer["unaltered"], 12343);
    EXPECT_EQ(report_checked(answer),
              "12345 messages: 12343 left unchanged, 0 altered, 2 not sent; 98.7 % of the bytes "
              "anchorable\n");
}

}  // namespace
}  // namespace libra
