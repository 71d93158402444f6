// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <set>
#include <span>

#include "policy_set.h"

namespace libra {
namespace {

AttachRequest proxy(std::uint32_t domain = 1) {
    AttachRequest request;
    request.parser = "http1";
    request.domain = domain;
    request.mode = LIBRA_MODE_TOKEN;
    request.listen = {"127.0.0.1:80"};
    request.upstream = {"10.0.0.0/8:8080"};
    return request;
}

constexpr Scope kScope = {.netns_cookie = 42, .cgroup_id = 0};

// Counters of a policy that goes are cleared for one that comes, and the change may fail.
TEST(PolicySet, WhatComesCountsElsewhereThanWhatGoes) {
    const auto slots = [](const PolicySet& set) {
        const libra_policy compiled = set.compile();
        std::set<std::uint32_t> all;
        for (const libra_rule& rule : std::span(compiled.rules, compiled.count))
            all.insert(rule.slot);
        return all;
    };
    PolicySet set;
    ASSERT_TRUE(set.add(proxy(), kScope));
    PolicySet next = set;
    ASSERT_TRUE(next.change({1}, {NewPolicy{proxy(), kScope, Origin::client}}));
    EXPECT_EQ(slots(set), (std::set<std::uint32_t>{0, 1}));
    EXPECT_EQ(slots(next), (std::set<std::uint32_t>{2, 3}));

    // Where there is no room for that, they count there.
    auto many = proxy();
    many.listen.assign(LIBRA_MAX_RULES - 3, "127.0.0.1:80");
    ASSERT_TRUE(next.add(many, kScope));
    ASSERT_TRUE(next.change({2}, {NewPolicy{proxy(), kScope, Origin::client}}));
    EXPECT_EQ(slots(next).size(), std::size_t{LIBRA_MAX_RULES});
    EXPECT_FALSE(next.add(proxy(), kScope));
}

// Each rule is compared with all others: not before it is known how many there are.
TEST(PolicySet, TooManyRulesAreRefusedAtOnce) {
    auto many = proxy();
    many.upstream.assign(40000, "*:1");
    auto others = proxy(2);
    others.upstream.assign(40000, "*:2");
    PolicySet set;
    const auto refused = set.change(
        {}, {NewPolicy{many, kScope, Origin::config}, NewPolicy{others, kScope, Origin::config}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "there is room for 1024 rules; detach a policy first");
}

TEST(PolicySet, CompilesToWhatTheProgramReads) {
    PolicySet set;
    auto request = proxy(9);
    request.anchor_requests = true;
    const auto policy = set.add(request, kScope);
    ASSERT_TRUE(policy) << policy.error().message();
    EXPECT_EQ(policy->id, 1U);

    const libra_policy compiled = set.compile();
    ASSERT_EQ(compiled.count, 2U);
    const libra_rule& listen = compiled.rules[0];
    EXPECT_EQ(listen.roles, LIBRA_MATCH_PASSIVE);
    EXPECT_EQ(listen.addr[2], htonl(0xffff));
    EXPECT_EQ(listen.addr[3], htonl(INADDR_LOOPBACK));
    EXPECT_EQ(listen.mask[0], 0xffffffffU);
    EXPECT_EQ(listen.mask[3], 0xffffffffU);
    EXPECT_EQ(listen.port, 80);
    EXPECT_EQ(listen.netns_cookie, 42U);
    EXPECT_STREQ(listen.attach.parser, "http1");
    EXPECT_EQ(listen.attach.domain, 9U);
    EXPECT_EQ(listen.attach.mode, static_cast<__u32>(LIBRA_MODE_TOKEN));
    // One message in 1024 is checked, unless asked for otherwise.
    EXPECT_EQ(listen.attach.flags, LIBRA_F_ANCHOR_REQUESTS | (11U << LIBRA_F_CHECK_SHIFT));
    EXPECT_EQ(listen.attach.policy, 1U);
    const libra_rule& upstream = compiled.rules[1];
    EXPECT_EQ(upstream.roles, LIBRA_MATCH_ACTIVE);
    EXPECT_EQ(upstream.addr[3], htonl(0x0a000000));
    EXPECT_EQ(upstream.mask[3], htonl(0xff000000));
    EXPECT_NE(listen.slot, upstream.slot);
}

TEST(PolicySet, CgroupAloneMeansBothSides) {
    PolicySet set;
    auto request = proxy();
    request.listen.clear();
    request.upstream.clear();
    EXPECT_FALSE(set.add(request, kScope));
    const Scope cgroup = {.netns_cookie = 42, .cgroup_id = 5};
    request.anchor_requests = true;
    EXPECT_FALSE(set.add(request, cgroup));  // which ones to adopt as upstreams?
    request.anchor_requests = false;
    ASSERT_TRUE(set.add(request, cgroup));
    EXPECT_EQ(set.compile({1}, Stage::listeners).rules[0].roles, LIBRA_MATCH_PASSIVE);
    const libra_policy compiled = set.compile();
    ASSERT_EQ(compiled.count, 1U);
    EXPECT_EQ(compiled.rules[0].roles, LIBRA_MATCH_PASSIVE | LIBRA_MATCH_ACTIVE);
    EXPECT_EQ(compiled.rules[0].cgroup_id, 5U);
    EXPECT_EQ(compiled.rules[0].port, 0);
}

TEST(PolicySet, AnUpstreamIsInOneDomain) {
    PolicySet set;
    auto request = proxy();
    request.upstream = {"10.0.0.0/24:80"};
    ASSERT_TRUE(set.add(request, kScope));
    request.listen = {"*:443"};
    ASSERT_TRUE(set.add(request, kScope));  // the same domain

    ++request.domain;
    for (const char* upstream : {"10.0.0.0/24:80", "10.0.0.7:80", "10.0.0.0/8:80"}) {
        request.upstream = {upstream};
        const auto refused = set.add(request, kScope);
        ASSERT_FALSE(refused) << upstream;
        EXPECT_NE(refused.error().message().find("domain 1 by policy 1"), std::string::npos)
            << refused.error().message();
    }
    EXPECT_EQ(set.policies().size(), 2U);
    request.upstream = {"10.0.0.7:80"};
    request.mode = LIBRA_MODE_DRY_RUN;
    EXPECT_TRUE(set.add(request, kScope));
    request.mode = LIBRA_MODE_TOKEN;
    request.upstream = {"10.0.1.7:80", "10.0.0.7:81"};
    EXPECT_TRUE(set.add(request, kScope));
}

TEST(PolicySet, CgroupsTellUpstreamsApart) {
    PolicySet set;
    auto request = proxy();
    ASSERT_TRUE(set.add(request, {.netns_cookie = 42, .cgroup_id = 5}));
    ++request.domain;
    EXPECT_FALSE(set.add(request, {.netns_cookie = 42, .cgroup_id = 5}));
    EXPECT_FALSE(set.add(request, kScope));
    EXPECT_TRUE(set.add(request, {.netns_cookie = 42, .cgroup_id = 6}));
}

TEST(PolicySet, CgroupsThatAreNotThereAreToldApartByTheirNames) {
    constexpr Scope kNotThere = {.netns_cookie = 42, .cgroup_id = kNoCgroup};
    PolicySet set;
    auto request = proxy();
    request.cgroup = "/a";
    ASSERT_TRUE(set.add(request, kNotThere));
    ++request.domain;
    EXPECT_FALSE(set.add(request, kNotThere));
    request.cgroup = "/b";
    ASSERT_TRUE(set.add(request, kNotThere));
    EXPECT_EQ(set.compile().rules[0].cgroup_id, kNoCgroup);

    EXPECT_FALSE(set.set_cgroups({{1, 5}, {2, 5}}));  // links to one cgroup
    EXPECT_TRUE(set.find(1)->waits());
    ASSERT_TRUE(set.set_cgroups({{1, 5}, {2, 6}}));
    EXPECT_FALSE(set.find(1)->waits());
    EXPECT_EQ(set.compile().rules[0].cgroup_id, 5U);
    EXPECT_EQ(set.compile().rules[3].cgroup_id, 6U);
}

TEST(PolicySet, OneBadAddressRefusesTheWholePolicy) {
    PolicySet set;
    auto request = proxy();
    request.upstream.push_back("10.0.0.1:99999");
    EXPECT_FALSE(set.add(request, kScope));
    EXPECT_TRUE(set.policies().empty());
    EXPECT_EQ(set.compile().count, 0U);
}

TEST(PolicySet, AnchoringNeedsBothSidesOfTheDomain) {
    PolicySet set;
    auto upstream_only = proxy();
    upstream_only.listen.clear();
    const auto refused = set.add(upstream_only, kScope);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(),
              "responses would reach clients as tokens: add --listen ADDR:PORT of the proxy to "
              "domain 1, in mode token");

    auto other_domain = proxy(2);
    other_domain.upstream.clear();
    ASSERT_TRUE(set.add(other_domain, kScope));  // anchors nothing by itself
    EXPECT_FALSE(set.add(upstream_only, kScope));

    auto listen_only = proxy();
    listen_only.upstream.clear();
    const auto listener = set.add(listen_only, kScope);
    ASSERT_TRUE(listener);
    const auto upstream = set.add(upstream_only, kScope);
    ASSERT_TRUE(upstream);
    EXPECT_FALSE(set.remove(listener->id));
    ASSERT_TRUE(set.remove(upstream->id));
    EXPECT_TRUE(set.remove(listener->id));
}

TEST(PolicySet, AnchoredRequestsNeedTheUpstreams) {
    PolicySet set;
    auto request = proxy();
    request.upstream.clear();
    request.anchor_requests = true;
    EXPECT_FALSE(set.add(request, kScope));
}

TEST(PolicySet, OtherModesMintNothing) {
    PolicySet set;
    auto request = proxy();
    request.listen.clear();
    request.mode = LIBRA_MODE_DRY_RUN;
    EXPECT_TRUE(set.add(request, kScope));
    request.mode = LIBRA_MODE_OFF;
    EXPECT_TRUE(set.add(request, kScope));
    request.mode = LIBRA_MODE_LAZY;
    EXPECT_TRUE(set.add(request, kScope));
}

TEST(PolicySet, RoomIsBoundedAndComesBack) {
    PolicySet set;
    for (unsigned i = 0; i < LIBRA_MAX_RULES / 2; ++i)
        ASSERT_TRUE(set.add(proxy(), kScope));
    EXPECT_FALSE(set.add(proxy(), kScope));
    ASSERT_TRUE(set.remove(3));
    const auto again = set.add(proxy(), kScope);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id, LIBRA_MAX_RULES / 2 + 1);  // ids are not used twice
    EXPECT_EQ(again->rules[0].compiled.slot, 4U);   // counters are
    EXPECT_EQ(set.compile().count, LIBRA_MAX_RULES);
}

TEST(PolicySet, RemovesOneAllOrComplains) {
    PolicySet set;
    EXPECT_FALSE(set.remove(1));
    EXPECT_TRUE(set.remove(std::nullopt)->empty());
    ASSERT_TRUE(set.add(proxy(), kScope));
    ASSERT_TRUE(set.add(proxy(), kScope));
    EXPECT_EQ(*set.remove(std::nullopt), (std::vector<std::uint32_t>{1, 2}));
}

TEST(PolicySet, ParserNamesAreBounded) {
    PolicySet set;
    auto request = proxy();
    request.parser = std::string(LIBRA_NAME_MAX, 'x');
    EXPECT_FALSE(set.add(request, kScope));
    request.parser.pop_back();
    EXPECT_TRUE(set.add(request, kScope));
}

}  // namespace
}  // namespace libra
