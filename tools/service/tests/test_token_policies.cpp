// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <unistd.h>

#include "fake_host.h"
#include "token_policies.h"

namespace libra::service {
namespace {

// A process that listens on 0.0.0.0:80 and 127.0.0.1:81.
void listening(const FakeHost& fake) {
    const std::string head = "  sl  local_address rem_address   st\n";
    const std::string rest = " 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 ";
    fake.write("proc/7/net/tcp",
               head + "   0: 00000000:0050" + rest + "11\n   1: 0100007F:0051" + rest + "12\n");
    fake.write("proc/7/fd/x", "");
    ASSERT_EQ(symlink("socket:[11]", fake.path("proc/7/fd/3").c_str()), 0);
    ASSERT_EQ(symlink("socket:[12]", fake.path("proc/7/fd/4").c_str()), 0);
}

Json policy(const char* mode, const char* address) {
    return {{"domain", 5},
            {"mode", mode},
            {"rules", Json::array({{{"role", "listen"}, {"address", address}}})}};
}

TEST(TokenPolicies, AListenerLeftOutIsNamed) {
    const FakeHost fake;
    listening(fake);
    const auto of = [&](const Json& one) {
        return left_out_by_policies(fake.host, {{"policies", Json::array({one})}}, {7});
    };
    const auto found = of(policy("token", "0.0.0.0:80"));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].domain, 5U);
    EXPECT_EQ(found[0].listeners, std::vector<std::string>{"127.0.0.1:81"});
    EXPECT_NE(words_for(found[0]).find("127.0.0.1:81"), std::string::npos);
    EXPECT_TRUE(of(policy("lazy", "0.0.0.0:80")).empty());
    EXPECT_TRUE(of(policy("token", "0.0.0.0:99")).empty()) << "it is about another service";
    EXPECT_TRUE(left_out_by_policies(fake.host, Json::object(), {7}).empty());
    EXPECT_TRUE(
        left_out_by_policies(fake.host, {{"policies", Json::array({policy("token", "*:80")})}}, {})
            .empty());
}

}  // namespace
}  // namespace libra::service
