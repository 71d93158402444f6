// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "kernel_stats.h"
#include "kernel_support.h"
#include "netns.h"

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
        "libra: kernel support not found: load the module (modprobe libra"));
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

TEST(Netns, HasACookie) {
    const auto cookie = Netns::own();
    ASSERT_TRUE(cookie);
    EXPECT_NE(cookie->cookie(), 0U);  // 0 would mean any namespace
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

// The names that the kernel's source shows in libra_stat.
std::vector<std::string> names_in(const char* source, const char* pattern) {
    std::ifstream file(std::filesystem::path(LIBRA_KERNEL_SOURCE) / source);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const std::regex name(pattern);
    std::vector<std::string> names;
    for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it)
        names.push_back((*it)[1]);
    return names;
}

// What describe_stat() makes of a name that it does not know.
std::string spelt_out(std::string name) {
    std::replace(name.begin(), name.end(), '_', ' ');
    return name;
}

TEST(KernelStats, EveryNameHasADescription) {
    auto names = names_in("mib.h", R"re(X\(\w+,\s*"(\w+)"\))re");
    EXPECT_GT(names.size(), 50U);
    const auto gauges = names_in("mib.c", R"re(seq_printf\(seq, "(\w+) %)re");
    EXPECT_GT(gauges.size(), 7U);
    names.insert(names.end(), gauges.begin(), gauges.end());
    for (const std::string& name : names) {
        const std::string text = describe_stat(name);
        if (name.starts_with("fallback_")) {
            EXPECT_EQ(text, "copied natively: " + spelt_out(name.substr(9)));
        } else if (name.starts_with("fail_stop_")) {
            EXPECT_EQ(text, "connections aborted: " + spelt_out(name.substr(10)));
        } else {
            EXPECT_NE(text, spelt_out(name)) << name << " has none";
        }
    }
}

TEST(KernelStats, UnknownNamesAreSpeltOut) {
    EXPECT_EQ(describe_stat("from_the_future"), "from the future");
}

}  // namespace
}  // namespace libra
