// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "protocol.h"

namespace libra {
namespace {

TEST(Protocol, AttachSurvivesTheWire) {
    AttachRequest request;
    request.parser = "http1";
    request.domain = 7;
    request.mode = LIBRA_MODE_DRY_RUN;
    request.anchor_requests = true;
    request.no_scrub = true;
    request.check = CheckRate{.one_of = 64};
    request.listen = {"*:80"};
    request.upstream = {"10.0.0.0/8:80", "[::1]:80"};
    request.cgroup = "/sys/fs/cgroup/proxy";
    const auto parsed = parse_request(to_line(to_json(request)));
    ASSERT_TRUE(parsed) << parsed.error().message();
    const auto& again = std::get<AttachRequest>(*parsed);
    EXPECT_EQ(again.parser, request.parser);
    EXPECT_EQ(again.domain, request.domain);
    EXPECT_EQ(again.mode, request.mode);
    EXPECT_EQ(again.anchor_requests, request.anchor_requests);
    EXPECT_EQ(again.no_scrub, request.no_scrub);
    EXPECT_EQ(again.check, request.check);
    EXPECT_EQ(again.listen, request.listen);
    EXPECT_EQ(again.upstream, request.upstream);
    EXPECT_EQ(again.cgroup, request.cgroup);
}

TEST(Protocol, ModesHaveNames) {
    for (const char* name : {"off", "dry-run", "token", "lazy"}) {
        const auto mode = mode_from_name(name);
        ASSERT_TRUE(mode) << name;
        EXPECT_EQ(mode_name(*mode), name);
    }
    EXPECT_EQ(mode_from_name("token"), LIBRA_MODE_TOKEN);
    EXPECT_EQ(mode_from_name("lazy"), LIBRA_MODE_LAZY);
    // what "token" was called when there was no other mode
    EXPECT_EQ(mode_from_name("on"), LIBRA_MODE_TOKEN);
    EXPECT_FALSE(mode_from_name("fast"));
    EXPECT_EQ(mode_name(99), "?");
}

TEST(Protocol, OthersSurviveTheWire) {
    const auto one = parse_request(to_line(to_json(DetachRequest{3})));
    ASSERT_TRUE(one);
    EXPECT_EQ(std::get<DetachRequest>(*one).policy, 3U);
    const auto all = parse_request(to_line(to_json(DetachRequest{})));
    ASSERT_TRUE(all);
    EXPECT_EQ(std::get<DetachRequest>(*all).policy, std::nullopt);
    EXPECT_TRUE(std::holds_alternative<StatusRequest>(*parse_request(R"({"op":"status"})")));
    EXPECT_TRUE(std::holds_alternative<StatsRequest>(*parse_request(R"({"op":"stats"})")));
}

TEST(Protocol, RequestsAboutParsersSurviveTheWire) {
    const auto load = parse_request(to_line(to_json(ParserLoadRequest{"/p.o"})));
    ASSERT_TRUE(load);
    EXPECT_EQ(std::get<ParserLoadRequest>(*load).file, "/p.o");
    const auto replace = parse_request(to_line(to_json(ParserReplaceRequest{"p", "/q.o"})));
    ASSERT_TRUE(replace);
    EXPECT_EQ(std::get<ParserReplaceRequest>(*replace).name, "p");
    EXPECT_EQ(std::get<ParserReplaceRequest>(*replace).file, "/q.o");
    const auto unload = parse_request(to_line(to_json(ParserUnloadRequest{"p"})));
    ASSERT_TRUE(unload);
    EXPECT_EQ(std::get<ParserUnloadRequest>(*unload).name, "p");
    const auto list = parse_request(to_line(to_json(ParserListRequest{})));
    ASSERT_TRUE(list);
    EXPECT_TRUE(std::holds_alternative<ParserListRequest>(*list));
}

struct Bad {
    std::string line;
    const char* why;
};

class BadRequest : public testing::TestWithParam<Bad> {};

TEST_P(BadRequest, IsRefusedWithItsReason) {
    const auto request = parse_request(GetParam().line);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().message(), GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequest,
    testing::Values(
        Bad{"", "the request is not valid JSON"}, Bad{"{", "the request is not valid JSON"},
        Bad{"\xff\xfe", "the request is not valid JSON"},
        Bad{"{\"op\":\"\xff\"}", "the request is not valid JSON"},
        Bad{std::string(50000, '['), "the request is not valid JSON"},
        Bad{std::string(20000, '[') + std::string(20000, ']'), "the request is not a JSON object"},
        Bad{"[]", "the request is not a JSON object"}, Bad{"{}", "field 'op' is missing"},
        Bad{R"({"op":1})", "field 'op' must be a string"},
        Bad{R"({"op":"dance"})",
            "unknown 'op'; known: attach, detach, apply, reload, resume, status, stats, "
            "parser-load, parser-replace, parser-unload, parser-list"},
        Bad{R"({"op":"status","x":1})", "unknown field 'x'"},
        Bad{R"({"op":"parser-load"})", "field 'file' is missing"},
        Bad{R"({"op":"parser-load","file":"/p","name":"p"})", "unknown field 'name'"},
        Bad{R"({"op":"parser-replace","file":"/p"})", "field 'name' is missing"},
        Bad{R"({"op":"parser-unload","name":1})", "field 'name' must be a string"},
        Bad{R"({"op":"parser-list","x":1})", "unknown field 'x'"},
        Bad{R"({"op":"detach"})", "field 'policy' is missing"},
        Bad{R"({"op":"detach","policy":-1})",
            "field 'policy' must be a number from 0 to 4294967295"},
        Bad{R"({"op":"detach","policy":4294967296})",
            "field 'policy' must be a number from 0 to 4294967295"},
        Bad{R"({"op":"detach","all":1})", "field 'all' must be true or false"},
        Bad{R"({"op":"detach","all":true,"policy":9})", "either 'policy' or 'all', not both"},
        Bad{R"({"op":"detach","all":false})", "field 'policy' is missing"},
        Bad{R"({"op":"attach","domain":1,"mode":"token"})", "field 'parser' is missing"},
        Bad{R"({"op":"attach","parser":"p","domain":1.5,"mode":"token"})",
            "field 'domain' must be a number from 0 to 4294967295"},
        Bad{R"({"op":"attach","parser":"p","domain":1,"mode":"fast"})",
            "field 'mode' must be off, dry-run, token or lazy"},
        Bad{R"({"op":"attach","parser":"p","domain":1,"mode":"token","listen":"*:80"})",
            "field 'listen' must be a list of strings"},
        Bad{R"({"op":"attach","parser":"p","domain":1,"mode":"token","upstream":[1]})",
            "field 'upstream' must be a list of strings"}));

// Each key is compared with all before it: not 60 000 of them.
TEST(Protocol, AnObjectHasFewKeys) {
    std::string keys;
    for (int i = 0; i < 60000; ++i)
        keys += fmt::format(R"("{}":0,)", i);
    for (const char* around :
         {R"({{{}"op":"status"}})", R"({{"op":"apply","policies":[{{{}"a":1}}]}})"}) {
        const auto request = parse_request(fmt::format(fmt::runtime(around), keys));
        ASSERT_FALSE(request);
        EXPECT_EQ(request.error().message(), "an object of the request has more than 64 keys");
    }
}

TEST(Protocol, AnswersCarryErrors) {
    const auto refused = parse_answer(error_line(Error("no")));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "no");
    EXPECT_TRUE(parse_answer(R"({"ok":true})"));
    for (const char* line : {"", "[]", "{}", R"({"ok":1})", R"({"ok":false})"})
        EXPECT_FALSE(parse_answer(line)) << line;
}

TEST(Protocol, CountersKeepTheKernelsOrder) {
    const auto answer = parse_answer(to_line(stats_answer({{"lazy_pages", 3}, {"attach", 0}})));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->at("stats").dump(), R"({"lazy_pages":3,"attach":0})");
}

TEST(Protocol, AnswerNeverThrowsOnBytes) {
    EXPECT_NO_THROW(error_line(Error("\xff\xfe")));
}

TEST(Errors, GatherContext) {
    const Error error = Error::from_errno("open", ENOENT).context("policy");
    EXPECT_EQ(error.message(), "policy: open: No such file or directory");
    EXPECT_EQ(error.code(), ENOENT);
}

}  // namespace
}  // namespace libra
