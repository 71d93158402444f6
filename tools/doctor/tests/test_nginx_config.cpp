// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "nginx_config.h"
#include "nginx_place.h"
#include "nginx_tokens.h"

namespace libra::doctor {
namespace {

using Kind = NginxToken::Kind;

// Words as they are, the rest as the character that it is; what is wrong at the end.
std::vector<std::string> tokens_of(std::string_view text) {
    NginxTokens tokens(text);
    std::vector<std::string> out;
    for (;;) {
        const auto token = tokens.next();
        if (!token) {
            out.push_back("error: " + token.error().message());
            return out;
        }
        switch (token->kind) {
            case Kind::word:
                out.push_back(token->text);
                break;
            case Kind::open:
                out.emplace_back("{");
                break;
            case Kind::close:
                out.emplace_back("}");
                break;
            case Kind::semicolon:
                out.emplace_back(";");
                break;
            case Kind::end:
                return out;
        }
    }
}

using Texts = std::vector<std::string>;

TEST(NginxTokens, CutsAsNginxDoes) {
    struct Row {
        const char* text;
        Texts tokens;
    };
    const Row rows[] = {
        {"", {}},
        {"a b;", {"a", "b", ";"}},
        {"a{b c;}", {"a", "{", "b", "c", ";", "}"}},
        {"# gzip on;\na;#b\n", {"a", ";"}},
        {"a b#c;", {"a", "b#c", ";"}},
        {"a 'b c;{}' \"d # e\";", {"a", "b c;{}", "d # e", ";"}},
        {"a b'c d';", {"a", "b'c", "d'", ";"}},
        {R"(a "b\"c" 'd\'e' \;f g\ h;)", {"a", "b\"c", "d'e", "\\;f", "g\\ h", ";"}},
        {R"(a \\ \n \d "\t";)", {"a", "\\", "\n", "\\d", "\t", ";"}},
        {"a ${b}c $d{e;}", {"a", "${b}c", "$d", "{", "e", ";", "}"}},
        {"if ($a ~ \"b\"){c;}", {"if", "($a", "~", "b", ")", "{", "c", ";", "}"}},
        {"a b}c;", {"a", "b}c", ";"}},
        {"a ''b;", {"a", "", "error: unexpected \"b\" behind quotes"}},
        {"a \"b\n\n", {"a", "error: the quotes that begin in line 1 have no end"}},
        {"a\r\n\tb;", {"a", "b", ";"}},
        {"a b\\", {"a", "b\\"}},
    };
    for (const Row& row : rows)
        EXPECT_EQ(tokens_of(row.text), row.tokens) << row.text;
}

TEST(NginxTokens, CountLinesInsideOfWords) {
    NginxTokens tokens("a 'b\nc'\n d;");
    EXPECT_EQ(tokens.next()->line, 1U);
    EXPECT_EQ(tokens.next()->line, 1U);
    EXPECT_EQ(tokens.next()->line, 3U);
}

TEST(NginxTokens, LuaEndsWhereLuaSaysSo) {
    struct Row {
        const char* text;
        const char* lua;  // nullptr: it has no end
    };
    const Row rows[] = {
        {"x={}}y", "x={}"},
        {"'}'}", "'}'"},
        {R"('\'}'})", R"('\'}')"},
        {"-- }\n}", "-- }\n"},
        {"--[[ } ]] }", "--[[ } ]] "},
        {"[==[ } ]] ]=] ]==]}", "[==[ } ]] ]=] ]==]"},
        {"a[1]=2}", "a[1]=2"},
        {"a[b[1]]}", "a[b[1]]"},
        {"{", nullptr},
        {"'}", nullptr},
        {"[[ }", nullptr},
        {"--[[ }", nullptr},
    };
    for (const Row& row : rows) {
        NginxTokens tokens(row.text);
        const auto lua = tokens.lua_block();
        if (row.lua) {
            ASSERT_TRUE(lua) << row.text;
            EXPECT_EQ(*lua, row.lua) << row.text;
        } else {
            EXPECT_FALSE(lua) << row.text;
        }
    }
}

NginxConfig read(std::map<std::string, std::string> files) {
    return read_nginx_config(MemoryFiles(std::move(files)), "/e/nginx.conf");
}

TEST(NginxConfig, IncludesStandInTheirPlace) {
    const NginxConfig config = read({
        {"/e/nginx.conf", "a;\ninclude conf.d/*.conf;\nb;\ninclude /x/one;\n"},
        {"/e/conf.d/1.conf", "c;\n"},
        {"/e/conf.d/2.conf", "\nd { include ../deep; }\n"},
        {"/e/conf.d/.hidden.conf", "no;\n"},
        {"/e/conf.d/3.conf.old", "no;\n"},
        {"/e/conf.d/../deep", "e;\n"},
        {"/e/../deep", "e;\n"},
        {"/x/one", "f;\n"},
    });
    EXPECT_EQ(config.problems, Texts{});
    Texts names;
    for (const NginxDirective& directive : config.main)
        names.push_back(directive.name + " " + directive.at.text());
    EXPECT_EQ(names, (Texts{"a /e/nginx.conf:1", "c /e/conf.d/1.conf:1", "d /e/conf.d/2.conf:2",
                            "b /e/nginx.conf:3", "f /x/one:1"}));
    ASSERT_EQ(config.main[2].block.size(), 1U);
    EXPECT_EQ(config.main[2].block[0].name, "e");
}

// Whatever is wrong, the rest is read, and what is wrong is named.
TEST(NginxConfig, ProblemsAreNamed) {
    struct Row {
        const char* text;
        const char* problem;
    };
    const Row rows[] = {
        {"a;\ninclude missing;\n", "/e/missing: No such file or directory"},
        {"a;\n}\n", "/e/nginx.conf:2: unexpected \"}\""},
        {"a;\nb {\nc;\n", "/e/nginx.conf:4: the block of line 2 is not closed"},
        {"a;\nb", "/e/nginx.conf:2: \"b\" has no end"},
        {"a;\n;", "/e/nginx.conf:2: unexpected \";\""},
        {"a;\n{", "/e/nginx.conf:2: unexpected \"{\""},
        {"a;\nx_by_lua_block {\n'", "/e/nginx.conf:3: the Lua that begins in line 2 has no end"},
    };
    for (const Row& row : rows) {
        const NginxConfig config = read({{"/e/nginx.conf", row.text}});
        EXPECT_EQ(config.problems, Texts{row.problem}) << row.text;
        ASSERT_GE(config.main.size(), 1U) << row.text;
        EXPECT_EQ(config.main[0].name, "a");
    }
}

TEST(NginxConfig, EndsWhereFilesIncludeThemselves) {
    const NginxConfig config =
        read({{"/e/nginx.conf", "a;\ninclude nginx.conf;\ninclude nginx.conf;\n"}});
    EXPECT_EQ(config.problems.size(), 1U);
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "a {";
    EXPECT_EQ(read({{"/e/nginx.conf", text}}).problems.size(), 1U);
}

TEST(NginxConfig, DumpsAreSeveralFiles) {
    const std::string dump =
        "nginx: the configuration file /e/nginx.conf syntax is ok\n"
        "# configuration file /e/nginx.conf:\n"
        "http {\n"
        "include sites/*;\n"
        "}\n"
        "\n"
        "# configuration file /e/sites/a:\n"
        "server { location / {\n"
        "gzip on; proxy_pass http://a; } }\n";
    ASSERT_TRUE(is_nginx_dump(dump));
    EXPECT_FALSE(is_nginx_dump("# a configuration file /x:\n# configuration file \n"));
    const NginxConfig config = read_nginx_dump(dump);
    EXPECT_EQ(config.problems, Texts{});
    EXPECT_EQ(config.files, (Texts{"/e/nginx.conf", "/e/sites/a"}));
    const auto places = nginx_places(config);
    ASSERT_EQ(places.size(), 1U);
    ASSERT_TRUE(places[0].on("gzip"));
    EXPECT_EQ(places[0].on("gzip")->at.text(), "/e/sites/a:2");
}

TEST(NginxPlace, TheInnermostLevelDecides) {
    const NginxConfig config = read({{"/e/nginx.conf",
                                      "worker_processes 2; events { worker_connections 9; }\n"
                                      "http { gzip on; sub_filter a b; charset x;\n"
                                      "server { sub_filter c d; sub_filter e f; gzip off;\n"
                                      "location / { proxy_pass http://a; gzip on;\n"
                                      "if ($b) { return 403; }\n"
                                      "if ($c) { charset y; }\n"
                                      "location /d { } } } }\n"}});
    EXPECT_EQ(config.problems, Texts{});
    const auto places = nginx_places(config);
    ASSERT_EQ(places.size(), 3U);
    EXPECT_EQ(places[0].kind, kForwards);
    EXPECT_TRUE(places[0].on("gzip"));
    EXPECT_EQ(places[0].all("sub_filter").size(), 2U);
    EXPECT_EQ(places[0].value("charset"), "x");
    EXPECT_EQ(places[0].main("worker_connections")->arguments, Texts{"9"});
    EXPECT_EQ(places[1].self().name, "if");
    EXPECT_EQ(places[1].kind, kForwards);
    EXPECT_EQ(places[1].value("charset"), "y");
    EXPECT_EQ(places[2].kind, kLocal);
}

}  // namespace
}  // namespace libra::doctor
