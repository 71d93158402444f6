// SPDX-License-Identifier: GPL-2.0-only
// The tables of rules, row by row.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <set>

#include "cases.h"
#include "haproxy_rules.h"
#include "nginx_rules.h"

namespace libra::doctor {

void PrintTo(const Case& row, std::ostream* out) {
    *out << row.id;
}

namespace {

std::vector<Finding> check_nginx_text(const std::string& text) {
    const NginxConfig config =
        read_nginx_config(MemoryFiles({{"/e/nginx.conf", text}}), "/e/nginx.conf");
    EXPECT_EQ(config.problems, std::vector<std::string>{}) << text;
    return check_nginx(config);
}

std::vector<Finding> check_haproxy_text(const std::string& text) {
    const HaproxyConfig config =
        read_haproxy_config(MemoryFiles({{"/e/haproxy.cfg", text}}), {"/e/haproxy.cfg"});
    EXPECT_EQ(config.problems, std::vector<std::string>{}) << text;
    return check_haproxy(config);
}

std::vector<Finding> check_text(const Case& row, const std::string& text) {
    return std::string_view(row.id).starts_with("nginx-") ? check_nginx_text(text)
                                                          : check_haproxy_text(text);
}

std::vector<std::string> named(const std::vector<Finding>& findings, const std::string& id) {
    std::vector<std::string> at;
    for (const Finding& finding : findings) {
        if (finding.rule->id == id)
            at.push_back(finding.hit.at.text());
    }
    std::ranges::sort(at);
    return at;
}

std::vector<const Rule*> all_rules() {
    std::vector<const Rule*> rules;
    for (const auto table : {nginx_unsafe_rules(), nginx_slow_rules()}) {
        for (const NginxRule& row : table)
            rules.push_back(&row.rule);
    }
    for (const HaproxyRule& row : haproxy_rules())
        rules.push_back(&row.rule);
    return rules;
}

std::vector<Case> all_cases() {
    std::vector<Case> cases = nginx_cases();
    std::ranges::move(haproxy_cases(), std::back_inserter(cases));
    return cases;
}

class RuleTest : public testing::TestWithParam<Case> {};

TEST_P(RuleTest, NamesTheLine) {
    const Case& row = GetParam();
    const char* file =
        std::string_view(row.id).starts_with("nginx-") ? "/e/nginx.conf" : "/e/haproxy.cfg";
    std::vector<std::string> expected;
    for (const unsigned line : row.lines)
        expected.push_back(Position{file, line}.text());
    EXPECT_EQ(named(check_text(row, row.bad), row.id), expected);
    EXPECT_FALSE(expected.empty());
}

TEST_P(RuleTest, IsSilentWhereItIsKept) {
    const Case& row = GetParam();
    EXPECT_EQ(named(check_text(row, row.good), row.id), std::vector<std::string>{});
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
    std::string name = info.param.id;
    std::ranges::replace_if(
        name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(All, RuleTest, testing::ValuesIn(all_cases()), test_name);

TEST(Rules, EachHasOneCaseAndEachCaseARule) {
    std::multiset<std::string> rules;
    std::multiset<std::string> cases;
    for (const Rule* rule : all_rules())
        rules.insert(rule->id);
    for (const Case& row : all_cases()) {
        cases.insert(row.id);
        EXPECT_FALSE(row.bad.empty()) << row.id;
        EXPECT_FALSE(row.good.empty()) << row.id;
    }
    EXPECT_EQ(rules, cases);
    EXPECT_EQ(std::set<std::string>(rules.begin(), rules.end()).size(), rules.size());
}

TEST(Rules, SayWhatTheyAreAboutAndWhatToWrite) {
    for (const Rule* rule : all_rules()) {
        EXPECT_NE(rule->concerns & (kTokenConcerns | kLazyConcerns), 0U) << rule->id;
        EXPECT_GT(std::string_view(rule->why).size(), 20U) << rule->id;
        EXPECT_FALSE(std::string_view(rule->instead).empty()) << rule->id;
        EXPECT_EQ(std::string_view(rule->why).find('@'), std::string_view::npos) << rule->id;
    }
}

// Where nothing is written, the default is what there is, and where it forwards is named.
TEST(Rules, DefaultsAreFindingsOfTheHandler) {
    const auto findings = check_nginx_text(
        "http { server {\nlocation /a {\nproxy_pass http://a;\n}\n"
        "location /b { fastcgi_pass 127.0.0.1:9000; } location /c { proxy_pass http://c; } } }");
    const auto it = std::ranges::find_if(findings, [](const Finding& finding) {
        return std::string_view(finding.rule->id) == "nginx-small-buffers";
    });
    ASSERT_NE(it, findings.end());
    EXPECT_TRUE(it->hit.by_default);
    EXPECT_EQ(it->hit.at.text(), "/e/nginx.conf:3");
    EXPECT_EQ(it->hit.text, "proxy_buffers 8 4k (default)");
    EXPECT_EQ(it->places, (std::vector<Where>{{{"/e/nginx.conf", 2}, "location /a"},
                                              {{"/e/nginx.conf", 5}, "location /c"}}));
    EXPECT_EQ(it->cost,
              "16 × 64k + 16k for each of worker_connections 512 whose client is slow: up to 520m "
              "in each worker process");
}

TEST(Rules, AdviceIsForTheHandlersModule) {
    const auto findings = check_nginx_text(
        "http { server { location / { uwsgi_pass 127.0.0.1:9;\nuwsgi_cache zone;\n} } }");
    const auto it = std::ranges::find_if(findings, [](const Finding& finding) {
        return std::string_view(finding.rule->id) == "nginx-store";
    });
    ASSERT_NE(it, findings.end());
    EXPECT_TRUE(it->instead.starts_with("uwsgi_cache off; uwsgi_store off;"));
}

// What nginx refuses is no advice.
TEST(Rules, AdviceIsWhatNginxTakes) {
    const auto instead = [](const std::string& text, std::string_view id) -> std::string {
        for (const Finding& finding :
             check_nginx_text("http { server { location / {" + text + "} } }")) {
            if (finding.rule->id == id)
                return finding.instead;
        }
        return "";
    };
    EXPECT_TRUE(instead("scgi_pass 127.0.0.1:9; scgi_buffering off;", "nginx-small-unbuffered")
                    .starts_with("scgi_buffer_size 512k; scgi_buffers 16 64k; "
                                 "scgi_busy_buffers_size 512k;"));
    EXPECT_EQ(instead("grpc_pass 127.0.0.1:9;", "nginx-upload-files"), "");
    EXPECT_NE(instead("scgi_pass 127.0.0.1:9;", "nginx-upload-files"), "");
    const std::string reuse = instead("proxy_pass http://a;", "nginx-http-1.0");
    for (const char* word : {"keepalive 32;", "upstream block", "X-Forwarded-For"})
        EXPECT_NE(reuse.find(word), std::string::npos) << word;
}

// What is in effect nowhere that forwards does no harm.
TEST(Rules, WhatIsInheritedIsNamedWhereItIsWritten) {
    const std::string http = "http {\ngzip on;\nserver { location / { ";
    EXPECT_EQ(named(check_nginx_text(http + "return 200; } } }"), "nginx-gzip"),
              std::vector<std::string>{});
    EXPECT_EQ(named(check_nginx_text(http + "proxy_pass http://a; } } }"), "nginx-gzip"),
              std::vector<std::string>{"/e/nginx.conf:2"});
    EXPECT_EQ(named(check_nginx_text(http + "gzip off;\nproxy_pass http://a;\n"
                                            "if ($x) {\ngzip on;\n} } } }"),
                    "nginx-gzip"),
              std::vector<std::string>{"/e/nginx.conf:6"});
    EXPECT_EQ(named(check_nginx_text(http + "gzip off; location /b { proxy_pass http://a; } } } }"),
                    "nginx-gzip"),
              std::vector<std::string>{});
}

TEST(Rules, HaproxyDefaultsAreThoseBeforeOrNamed) {
    const std::string text =
        "defaults plain\nmode http\n"
        "defaults packed from plain\ncompression algo gzip\n"
        "backend a from plain\nserver s 1.1.1.1:80\n"
        "backend b\nserver s 1.1.1.1:80\n";
    const auto findings = check_haproxy_text(text);
    const auto it = std::ranges::find_if(findings, [](const Finding& finding) {
        return std::string_view(finding.rule->id) == "haproxy-compression";
    });
    ASSERT_NE(it, findings.end());
    EXPECT_EQ(it->hit.at.text(), "/e/haproxy.cfg:4");
    EXPECT_EQ(it->places, (std::vector<Where>{{{"/e/haproxy.cfg", 7}, "backend b"}}));
}

}  // namespace
}  // namespace libra::doctor
