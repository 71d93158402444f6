// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "native_sample.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

class SwitchedOffTest : public testing::Test {
  protected:
    SwitchedOffTest() {
        std::string name = testing::TempDir() + "sysctl-XXXXXX";
        root_ = mkdtemp(name.data());
        write("lazy", "1\n");
        write("enabled", "0\n");
    }
    ~SwitchedOffTest() override { fs::remove_all(root_); }

    void write(const char* name, const char* text) const { std::ofstream(root_ / name) << text; }
    std::string read(const char* name) const {
        std::ifstream file(root_ / name);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::vector<fs::path> both() const { return {root_ / "lazy", root_ / "enabled"}; }

    // Whoever sets it back is another process.
    std::string soon(const char* name, const std::string& wanted) const {
        for (int i = 0; i < 500 && read(name) != wanted; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return read(name);
    }

    fs::path root_;
};

TEST_F(SwitchedOffTest, IsSetBack) {
    {
        const auto off = SwitchedOff::begin(both());
        ASSERT_TRUE(off) << off.error().message();
        EXPECT_EQ(read("lazy"), "0\n");
    }
    EXPECT_EQ(read("lazy"), "1\n");
    EXPECT_EQ(read("enabled"), "0\n") << "that was off before";
}

TEST_F(SwitchedOffTest, IsSetBackWhenKilled) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto off = SwitchedOff::begin(both());
        pause();
        _exit(off ? 0 : 1);
    }
    ASSERT_EQ(soon("lazy", "0\n"), "0\n");
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    EXPECT_EQ(soon("lazy", "1\n"), "1\n");
}

TEST_F(SwitchedOffTest, WhatSomebodyElseSetStays) {
    {
        const auto off = SwitchedOff::begin(both());
        ASSERT_TRUE(off);
        write("lazy", "2\n");
    }
    EXPECT_EQ(read("lazy"), "2\n");
}

TEST_F(SwitchedOffTest, WithoutASysctlNothingIsSwitched) {
    EXPECT_FALSE(SwitchedOff::begin({root_ / "lazy", root_ / "missing"}));
    EXPECT_EQ(read("lazy"), "1\n");
}

TEST(InOctets, OfNetstat) {
    EXPECT_EQ(parse_in_octets("TcpExt: A InOctets\nTcpExt: 1 2\n"
                              "IpExt: InNoRoutes InOctets OutOctets\nIpExt: 5 77 9\n"),
              77U);
    for (const char* text : {"", "IpExt: InOctets\n", "IpExt: InOctets\nIpExt: x\n",
                             "IpExt: A\nIpExt: 1\n", "TcpExt: InOctets\nTcpExt: 2\n"})
        EXPECT_FALSE(parse_in_octets(text)) << text;
}

double used_by(pid_t pid) {
    const auto usage = read_usage({pid});
    return usage && usage->cpu.contains(pid) ? usage->cpu.at(pid) : -1;
}

TEST(Usage, HasWhatThreadsUsedThatEnded) {
    const double before = used_by(getpid());
    ASSERT_GE(before, 0);
    std::thread([] {
        timespec used{};
        while (used.tv_nsec < 20'000'000)
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    }).join();
    EXPECT_GE(used_by(getpid()), before + 0.02);
}

TEST(Usage, HasNothingOfWhoIsGone) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
        _exit(0);
    waitpid(child, nullptr, 0);
    EXPECT_EQ(used_by(child), -1);
}

TEST(Cost, OfTooLittleIsNotKnown) {
    Cost cost;
    cost.add({{{1, 1.0}}, 100}, {{{1, 3.0}}, 200});
    EXPECT_DOUBLE_EQ(cost.cpu_seconds, 2);
    EXPECT_FALSE(cost.cpu_per_gb()) << "100 bytes";
    cost.add({{{1, 3.0}}, 0}, {{{1, 5.0}, {2, 70.0}}, 4'000'000'000 - 100});
    ASSERT_TRUE(cost.cpu_per_gb());
    EXPECT_DOUBLE_EQ(*cost.cpu_per_gb(), 1) << "nobody knows when 2 used its 70 seconds";
    cost.add({{{1, 9.0}}, 7}, {{{1, 1.0}}, 3});
    EXPECT_DOUBLE_EQ(cost.cpu_seconds, 4) << "a number that was used again";
}

}  // namespace
}  // namespace libra
