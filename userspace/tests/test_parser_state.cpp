// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "parser_state.h"

namespace libra {
namespace {

class ParserStateTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "libra-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    static std::vector<KnownParser> some() {
        return {{{"http1", "1.0", 1, 2}, "built in", "0123456789abcdef", 7},
                {{"redis", "2.0", 1, 3}, "/p/\"redis\xff.o", "", 4294967295}};
    }

    std::filesystem::path directory_;
};

TEST_F(ParserStateTest, WhatWasKnownIsAgain) {
    const ParserState state(directory_ / "parsers");
    EXPECT_TRUE(state.load()->empty());
    std::vector<KnownParser> all = some();
    all[1].origin = "/p/redis.o";
    ASSERT_TRUE(state.save(all));
    EXPECT_EQ(*state.load(), all);
    ASSERT_TRUE(state.save({}));
    EXPECT_TRUE(state.load()->empty());
}

TEST_F(ParserStateTest, ANameThatIsNoTextDoesNotKeepItFromBeingRead) {
    EXPECT_TRUE(parse_parsers(format_parsers(some())));
}

TEST_F(ParserStateTest, WhatCannotBeWrittenIsAsItWas) {
    const ParserState state(directory_ / "parsers");
    ASSERT_TRUE(state.save(some()));
    const auto before = state.load();
    std::filesystem::create_directories(directory_ / "parsers.new" / "in the way");
    const auto status = state.save({});
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message().find("cannot keep in "), std::string::npos);
    EXPECT_EQ(*state.load(), *before);
}

TEST_F(ParserStateTest, WhatLibradDidNotWriteIsRefused) {
    const std::string good = format_parsers(some());
    for (std::size_t size = 0; size + 1 < good.size(); ++size)
        EXPECT_FALSE(parse_parsers(good.substr(0, size))) << size;
    for (const char* text :
         {"[]", R"({"format":1})", R"({"format":2,"parsers":[]})", R"({"format":1,"parsers":{}})",
          R"({"format":1,"parsers":[1]})", R"({"format":1,"parsers":[{"name":"redis"}]})"})
        EXPECT_FALSE(parse_parsers(text)) << text;
    std::ofstream(directory_ / "parsers") << "{";
    const auto parsers = ParserState(directory_ / "parsers").load();
    ASSERT_FALSE(parsers);
    EXPECT_NE(parsers.error().message().find("parsers: it is not as librad wrote it"),
              std::string::npos);
}

}  // namespace
}  // namespace libra
