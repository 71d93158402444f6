// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "address.h"

namespace libra {
namespace {

struct Good {
    const char* text;
    const char* shown;
    unsigned prefix;
};

class GoodEndpoint : public testing::TestWithParam<Good> {};

TEST_P(GoodEndpoint, IsParsedAndShown) {
    const auto endpoint = parse_endpoint(GetParam().text, Prefix::allowed);
    ASSERT_TRUE(endpoint) << endpoint.error().message();
    EXPECT_EQ(endpoint->prefix, GetParam().prefix);
    EXPECT_EQ(format_endpoint(*endpoint), GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(Table, GoodEndpoint,
                         testing::Values(Good{"127.0.0.1:80", "127.0.0.1:80", 128},
                                         Good{"10.0.0.0/8:65535", "10.0.0.0/8:65535", 104},
                                         Good{"0.0.0.0/0:1", "0.0.0.0/0:1", 96},
                                         Good{"0.0.0.0:80", "0.0.0.0/0:80", 96},
                                         Good{"*:8080", "*:8080", 0},
                                         Good{"[::]:8080", "*:8080", 0},
                                         Good{"[::1]:80", "[::1]:80", 128},
                                         Good{"[2001:db8::]/32:443", "[2001:db8::]/32:443", 32},
                                         Good{"[::ffff:10.1.2.3]:80", "10.1.2.3:80", 128},
                                         Good{"[::ffff:10.0.0.0]/104:80", "10.0.0.0/8:80", 104}));

class BadEndpoint : public testing::TestWithParam<const char*> {};

TEST_P(BadEndpoint, IsRefusedWithItsText) {
    const auto endpoint = parse_endpoint(GetParam(), Prefix::allowed);
    ASSERT_FALSE(endpoint);
    EXPECT_NE(endpoint.error().message().find(std::string("'") + GetParam() + "'"),
              std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Table, BadEndpoint,
                         testing::Values("", ":", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
                                         "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x",
                                         "127.0.0.1: 80", "1.2.3:80", "256.1.1.1:80", ":80",
                                         "localhost:80", "::1:80", "[::1]", "[::1:80", "::1]:80",
                                         "[]:80", "[fe80::1%eth0]:80", "[127.0.0.1]:80", "*/8:80",
                                         "10.0.0.0/33:80", "10.0.0.0/:80", "10.0.0.0/x:80",
                                         "10.0.0.0/8/8:80", "10.0.0.1/8:80", "[2001:db8::]/129:80",
                                         "[2001:db8::1]/32:80"));

TEST(Endpoint, ListenerTakesNoPrefix) {
    EXPECT_FALSE(parse_endpoint("10.0.0.0/8:80", Prefix::refused));
    EXPECT_TRUE(parse_endpoint("10.0.0.1:80", Prefix::refused));
}

TEST(Endpoint, MappedEqualsPlainIpv4) {
    EXPECT_EQ(*parse_endpoint("[::ffff:10.1.2.3]:80", Prefix::refused),
              *parse_endpoint("10.1.2.3:80", Prefix::refused));
}

}  // namespace
}  // namespace libra
