// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "haproxy_config.h"
#include "haproxy_words.h"

namespace libra::doctor {
namespace {

using Texts = std::vector<std::string>;

TEST(HaproxyWords, CutAsHaproxyDoes) {
    struct Row {
        const char* text;
        Texts words;
    };
    const Row rows[] = {
        {"", {}},
        {"  # a", {}},
        {"\ta  b\r", {"a", "b"}},
        {"a b#c", {"a", "b"}},
        {R"(a b\#c "d # e" 'f # g')", {"a", "b#c", "d # e", "f # g"}},
        {R"(a\ b c)", {"a b", "c"}},
        {R"("%{+Q}o %t"' %s '\ x)", {"%{+Q}o %t %s  x"}},
        {R"('a\' "b'c" "d\"e")", {"a\\", "b'c", "d\"e"}},
        {R"(a "" b)", {"a", "", "b"}},
        {R"(\x41\n "\x2f" \\ \d "\$x" $y)", {"A\n", "/", "\\", "\\d", "$x", "$y"}},
        {"a\\", {"a\\"}},
    };
    for (const Row& row : rows) {
        const auto words = split_haproxy_line(row.text);
        ASSERT_TRUE(words) << row.text;
        EXPECT_EQ(*words, row.words) << row.text;
    }
    for (const char* text : {"a 'b", "a \"b", "a \\x4", "\\xzz"})
        EXPECT_FALSE(split_haproxy_line(text)) << text;
}

HaproxyConfig read(const std::string& text) {
    return read_haproxy_config(MemoryFiles({{"/e/h.cfg", text}}), {"/e/h.cfg"});
}

TEST(HaproxyConfig, FilesAndDirectories) {
    const MemoryFiles files({{"/e/h.cfg", "global\n  maxconn 9\n"},
                             {"/e/d/2.cfg", "listen b\n  mode tcp\n"},
                             {"/e/d/1.cfg", "defaults\n  mode http\nlisten a\n"},
                             {"/e/d/3.txt", "nonsense\n"}});
    const HaproxyConfig config = read_haproxy_config(files, {"/e/h.cfg", "/e/d", "/e/none"});
    EXPECT_EQ(config.files, (Texts{"/e/h.cfg", "/e/d/1.cfg", "/e/d/2.cfg"}));
    EXPECT_EQ(config.problems, Texts{"/e/none: No such file or directory"});
    ASSERT_EQ(config.sections.size(), 4U);
    EXPECT_EQ(config.global("maxconn")->at.text(), "/e/h.cfg:2");
    EXPECT_TRUE(HaproxyPlace(config, *config.sections[2]).is_http());
    EXPECT_FALSE(HaproxyPlace(config, *config.sections[3]).is_http());
}

TEST(HaproxyConfig, ConditionsAndScopesAreNoLines) {
    const HaproxyConfig config = read(".if defined(X)\n[haproxy]\nglobal\n.endif\nmaxconn 1\n");
    EXPECT_EQ(config.problems, Texts{});
    ASSERT_TRUE(config.global("maxconn"));
}

TEST(HaproxyConfig, ProblemsAreNamed) {
    const HaproxyConfig config =
        read("maxconn 1\nlisten a from none\n  log-format 'x\nmode http\n");
    EXPECT_EQ(config.problems,
              (Texts{"/e/h.cfg:1: no section has begun", "/e/h.cfg:2: there is no defaults none",
                     "/e/h.cfg:3: quotes without an end"}));
    ASSERT_EQ(config.sections.size(), 1U);
    EXPECT_TRUE(HaproxyPlace(config, *config.sections[0]).is_http());
}

TEST(HaproxyPlace, NoTakesBack) {
    const HaproxyConfig config = read(
        "defaults\noption splice-auto\noption x\nlisten a\nno option splice-auto\n"
        "listen b\n");
    const HaproxyPlace a(config, *config.sections[1]);
    const HaproxyPlace b(config, *config.sections[2]);
    EXPECT_FALSE(a.find({"option", "splice-auto"}));
    EXPECT_TRUE(a.find({"option", "x"}));
    EXPECT_TRUE(b.find({"option", "splice-auto"}));
}

}  // namespace
}  // namespace libra::doctor
