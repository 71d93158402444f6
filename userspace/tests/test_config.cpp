// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "config.h"

namespace libra {
namespace {

constexpr const char* kPolicy = R"([[policy]]
name = "web"
parser = "http1"
domain = 1
mode = "token"
listen = ["*:80"]
upstream = ["10.0.0.0/8:8080"]
)";

TEST(Config, HasPoliciesAndMetrics) {
    const auto config = parse_config(std::string(kPolicy) + R"(no_scrub = true
breaker = "5/10"

[daemon]
metrics = "127.0.0.1:9742"
)",
                                     "f");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->metrics, "127.0.0.1:9742");
    ASSERT_EQ(config->policies.size(), 1U);
    const AttachRequest& policy = config->policies[0];
    EXPECT_EQ(policy.name, "web");
    EXPECT_EQ(policy.mode, LIBRA_MODE_TOKEN);
    EXPECT_TRUE(policy.no_scrub);
    EXPECT_EQ(policy.breaker, (Breaker{.fail_stops = 5, .seconds = 10}));
    EXPECT_EQ(policy.upstream, std::vector<std::string>{"10.0.0.0/8:8080"});
}

TEST(Config, MayBeEmpty) {
    const auto config = parse_config("# nothing\n", "f");
    ASSERT_TRUE(config);
    EXPECT_TRUE(config->policies.empty());
}

// Policies that are only safe together are told from those that are not, in any order.
TEST(Config, OrderDoesNotMatter) {
    EXPECT_TRUE(parse_config(R"(
[[policy]]
name = "up"
parser = "http1"
domain = 1
mode = "token"
upstream = ["10.0.0.1:80"]
[[policy]]
name = "down"
parser = "http1"
domain = 1
mode = "token"
listen = ["*:80"]
)",
                             "f"));
}

struct Bad {
    std::string text;
    const char* why;
};

class BadConfig : public testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsRefusedWithItsPlace) {
    const auto config = parse_config(GetParam().text, "f");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().message(), GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadConfig,
    testing::Values(
        Bad{std::string(kPolicy) + "listn = []\n",
            "f:8: unknown key 'listn' in [[policy]]; did you mean 'listen'?"},
        Bad{"[deamon]\n", "f:1: unknown key 'deamon' in the file; did you mean 'daemon'?"},
        Bad{"\n[daemon]\nmetrics = 80\n", "f:3: metrics must be a string, ADDR:PORT"},
        Bad{"[daemon]\nmetrics = \"0.0.0.0:9742\"\n",
            "f:2: metrics are served to this machine only: 127.0.0.1:PORT or [::1]:PORT"},
        Bad{"[[policy]]\nname = \"a\"\nparser = \"http1\"\ndomain = 1\nmode = \"fast\"\n",
            "f:5: field 'mode' must be off, dry-run, token or lazy"},
        Bad{"[[policy]]\nname = \"a\"\nparser = \"http1\"\ndomain = -1\nmode = \"token\"\n",
            "f:4: field 'domain' must be a number from 0 to 4294967295"},
        Bad{"[[policy]]\nname = \"a b\"\nparser = \"http1\"\ndomain = 1\nmode = \"off\"\n",
            "f:2: field 'name' takes up to 64 letters, digits, '-', '_' and '.'"},
        Bad{"[[policy]]\nname = \"a\"\ndomain = 1\nmode = \"off\"\n",
            "f:1: field 'parser' is missing"},
        Bad{std::string(kPolicy) + "breaker = \"often\"\n",
            "f:8: field 'breaker': 'often' is neither off nor FAIL-STOPS/SECONDS, such as 3/60 "
            "(at most 3600 seconds)"},
        Bad{std::string(kPolicy) + "cgroup = \"nginx\"\n", "f:8: 'nginx' must be an absolute path"},
        Bad{std::string(kPolicy) + kPolicy, "f:8: there is a policy 'web' already, with id 1"},
        Bad{"policy = 3\n", "f:1: policies are tables of a list: [[policy]]"}));

TEST(Config, WhatIsNoTomlIsRefusedWithItsLine) {
    const auto config = parse_config("a = 1\nb = = 2\n", "f");
    ASSERT_FALSE(config);
    EXPECT_TRUE(config.error().message().starts_with("f:2: ")) << config.error().message();
    // what the parser asserts
    const auto name = parse_config("# a table\n\n[!name]\na = 1\n", "f");
    ASSERT_FALSE(name);
    EXPECT_EQ(name.error().message(), "f:3: this is no TOML");
    // letters that lie between Unicode's spaces
    for (const char* letter : {"\xc3\xa9", "\xef\xbb\x9f"}) {
        const auto key = parse_config(std::string("a = 1\n") + letter + " = 1\n", "f");
        ASSERT_FALSE(key);
        EXPECT_TRUE(key.error().message().starts_with("f:2: ")) << key.error().message();
    }
}

TEST(Config, CgroupsThatCannotBeAreRefusedWithTheirLine) {
    const auto check = [](const std::string& cgroup) -> Status {
        return cgroup == "/right" ? Status(Ok{}) : Error("it is none", EINVAL);
    };
    const std::string text = kPolicy;
    EXPECT_TRUE(parse_config(text + "cgroup = \"/right\"\n", "f", check));
    const auto refused = parse_config(text + "cgroup = \"/wrong\"\n", "f", check);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "f:8: it is none");
}

TEST(Config, ListenersThatAreMissedAreNamed) {
    std::string text = kPolicy;
    text.erase(text.find("listen"), text.find("upstream") - text.find("listen"));
    const auto config = parse_config(text, "f");
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message().find("add --listen ADDR:PORT of the proxy to domain 1"),
              std::string::npos)
        << config.error().message();
}

}  // namespace
}  // namespace libra
