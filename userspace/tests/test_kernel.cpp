// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "kernel_stats.h"
#include "kernel_support.h"

namespace libra {
namespace {

class FakeRoot : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "libra-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        root_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(root_); }

    void touch(const char* path) {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << "";
    }

    std::filesystem::path root_;
};

TEST_F(FakeRoot, WithoutModuleSaysHowToLoadIt) {
    const auto status = check_kernel_files(root_);
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().message().starts_with(
        "libra: kernel support not found: load libra.ko (insmod "));
}

TEST_F(FakeRoot, WithoutBtfNamesTheOption) {
    touch("proc/net/libra_stat");
    const auto status = check_kernel_files(root_);
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message().find("CONFIG_DEBUG_INFO_BTF"), std::string::npos);
}

TEST_F(FakeRoot, ModuleBtfIsNotNeededWhenBuiltIn) {
    touch("proc/net/libra_stat");
    touch("sys/kernel/btf/vmlinux");
    EXPECT_TRUE(check_kernel_files(root_));
}

TEST(Cgroup, RefusesWhatIsNone) {
    EXPECT_FALSE(cgroup_id("/proc"));
    EXPECT_FALSE(cgroup_id("/nowhere"));
}

TEST(Netns, HasACookie) {
    const auto cookie = own_netns_cookie();
    ASSERT_TRUE(cookie);
    EXPECT_NE(*cookie, 0U);  // 0 would mean any namespace
}

TEST(KernelStats, KeepsOrderAndValues) {
    const auto stats = parse_kernel_stats("attach 3\nrx_payload_bytes\t18446744073709551615\n");
    ASSERT_TRUE(stats);
    const KernelStats expected = {{"attach", 3}, {"rx_payload_bytes", ~0ULL}};
    EXPECT_EQ(*stats, expected);
    EXPECT_TRUE(parse_kernel_stats("")->empty());
}

TEST(KernelStats, RefusesWhatItDoesNotUnderstand) {
    for (const char* text : {"attach\n", "attach x\n", "attach 1 2\n", " 1\n", "attach -1\n"})
        EXPECT_FALSE(parse_kernel_stats(text)) << text;
}

TEST(KernelStats, MissingFileIsAnError) {
    const auto stats = read_kernel_stats("/nowhere");
    ASSERT_FALSE(stats);
    EXPECT_EQ(stats.error().message(), "/nowhere: No such file or directory");
}

TEST(KernelStats, EveryNameHasADescription) {
    EXPECT_EQ(describe_stat("anchors_live"), "anchors held now");
    EXPECT_EQ(describe_stat("fallback_too_small"), "copied natively: too small");
    EXPECT_EQ(describe_stat("fail_stop_bad_mac"), "connections aborted: bad mac");
    EXPECT_EQ(describe_stat("from_the_future"), "from the future");
}

}  // namespace
}  // namespace libra
