// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "state_file.h"

namespace libra {
namespace {

class StateFileTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "libra-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    static PolicySet some() {
        PolicySet set;
        AttachRequest request;
        request.name = "web";
        request.parser = "http1";
        request.domain = 3;
        request.mode = LIBRA_MODE_TOKEN;
        request.listen = {"*:80", "[::1]:81"};
        request.upstream = {"10.0.0.0/8:80"};
        EXPECT_TRUE(
            set.change({}, {{request, {.netns_cookie = 7, .cgroup_id = 9}, Origin::config}}));
        request.name.clear();
        EXPECT_TRUE(set.add(request, {.netns_cookie = 7, .cgroup_id = 0}));
        EXPECT_TRUE(set.remove(1));
        request.name = "again";
        EXPECT_TRUE(set.add(request, {.netns_cookie = 8, .cgroup_id = 1}));
        EXPECT_TRUE(set.set_tripped(3, true));
        request.name = "waits";
        request.cgroup = "/sys/fs/cgroup/none";
        request.domain = 4;
        request.upstream = {"10.0.0.0/8:81"};
        EXPECT_TRUE(set.add(request, {.netns_cookie = 8, .cgroup_id = kNoCgroup}));
        return set;
    }

    std::filesystem::path directory_;
};

TEST_F(StateFileTest, WhatWasInForceIsAgain) {
    const StateFile file(directory_ / "state");
    const PolicySet before = some();
    ASSERT_TRUE(file.save(before));
    const auto after = file.load();
    ASSERT_TRUE(after) << after.error().message();
    EXPECT_EQ(format_state(*after), format_state(before));
    const libra_policy was = before.compile();
    const libra_policy is = after->compile();
    EXPECT_EQ(std::memcmp(&was, &is, sizeof(was)), 0);
    EXPECT_EQ(after->last_id(), 4U);
    EXPECT_TRUE(after->find(4)->waits());
    EXPECT_TRUE(after->find(3)->tripped);
}

TEST_F(StateFileTest, NoFileIsNoPolicy) {
    const auto set = StateFile(directory_ / "state").load();
    ASSERT_TRUE(set);
    EXPECT_TRUE(set->policies().empty());
}

// Whatever is wrong in it, nothing of it is believed.
TEST_F(StateFileTest, WhatIsNotUnderstoodIsRefused) {
    const std::string good = format_state(some());
    ASSERT_TRUE(parse_state(good));
    for (std::size_t cut = 0; cut + 2 < good.size(); ++cut)
        EXPECT_FALSE(parse_state(std::string_view(good).substr(0, cut))) << cut;
    const auto with = [&good](const std::string& from, const std::string& to) {
        std::string text = good;
        const auto at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return text.replace(at, from.size(), to);
    };
    EXPECT_FALSE(parse_state(with("\"format\":1", "\"format\":2")));
    EXPECT_FALSE(parse_state(with("\"id\":2", "\"id\":3")));
    EXPECT_FALSE(parse_state(with("\"last_id\":4", "\"last_id\":3")));
    EXPECT_FALSE(parse_state(with("\"slots\":[", "\"slots\":[5,")));
    EXPECT_FALSE(parse_state(with("\"tripped\":true", "\"tripped\":1")));
    EXPECT_FALSE(parse_state(with("\"*:80\"", "\"*:0x50\"")));
}

TEST_F(StateFileTest, AFullDiskLeavesTheOldOne) {
    const StateFile full("/dev/full/state");
    EXPECT_FALSE(full.save(some()));
    const StateFile file(directory_ / "state");
    ASSERT_TRUE(file.save(some()));
    std::filesystem::create_directory(directory_ / "state.new");
    const auto status = file.save(PolicySet());
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message().find("cannot keep the policies in"), std::string::npos);
    EXPECT_EQ(file.load()->policies().size(), 3U);
}

}  // namespace
}  // namespace libra
