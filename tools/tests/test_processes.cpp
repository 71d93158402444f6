// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "processes.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

class Processes : public testing::Test {
  protected:
    Processes() {
        std::string name = testing::TempDir() + "proc-XXXXXX";
        root_ = mkdtemp(name.data());
    }
    ~Processes() override { fs::remove_all(root_); }

    void file(const std::string& name, const std::string& text) const {
        fs::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name, std::ios::binary) << text;
    }

    void process(const std::string& pid, const std::string& name, const std::string& cgroup) const {
        file(pid + "/stat", pid + " (" + name + ") S 1 7 77 0 -1 0 0 0 0 0 5 6\n");
        file(pid + "/cmdline", "x");
        file(pid + "/cgroup", "1:name=old:/x\n0::" + cgroup + "\n");
    }

    fs::path root_;
};

TEST_F(Processes, WhatProcSays) {
    process("700", "nginx", "/system.slice/nginx.service");
    file("700/environ", std::string("A=b\0LD_PRELOAD=/x/libra-malloc.so\0", 35));
    file("700/maps", "7f00-7f01 r-xp 0 0 0 /x/libra-malloc.so\n");
    fs::create_directories(root_ / "700/fd");
    fs::create_symlink("socket:[31337]", root_ / "700/fd/3");
    fs::create_symlink("socket:[x]", root_ / "700/fd/4");
    fs::create_symlink("/socket:[5]", root_ / "700/fd/5");
    const auto found = read_processes(root_, Depth::all);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].pid, 700);
    EXPECT_EQ(found[0].name, "nginx");
    EXPECT_EQ(found[0].session, 77);
    EXPECT_EQ(found[0].service(), "nginx.service");
    EXPECT_EQ(found[0].sockets, std::set<std::uint64_t>{31337});
    EXPECT_TRUE(found[0].preloads);
    EXPECT_TRUE(found[0].library);
}

TEST_F(Processes, NamesAreHostile) {
    process("1", "a) S 1 2 3 (", "/");
    process("2", "\x1b[2J\n", "/user.slice/\x1b[2J");
    const auto found = read_processes(root_, Depth::all);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].session, 77);
    for (const Process& process : found) {
        EXPECT_EQ(process.name.find('\x1b'), std::string::npos);
        EXPECT_EQ(process.service().find('\x1b'), std::string::npos);
    }
}

TEST_F(Processes, WhatIsNotOneIsLeftOut) {
    file("self/stat", "1 (x) S 1 1 1\n");
    file("9/stat", "");
    file("9/cmdline", "x");
    file("10/stat", "10 x S 1\n");
    file("10/cmdline", "x");
    file("99999999999/cmdline", "x");
    EXPECT_TRUE(read_processes(root_, Depth::all).empty());
}

std::set<pid_t> pids(const char* text, const std::vector<Process>& processes) {
    return ServiceName(text).pids(processes);
}

TEST(ServiceName, NamesProcesses) {
    Process process;
    process.pid = 700;
    process.cgroup = "/system.slice/nginx.service";
    for (const char* text :
         {"700", "nginx", "nginx.service", "/system.slice/nginx.service",
          "/sys/fs/cgroup/system.slice/nginx.service/", "/system.slice", "system.slice"})
        EXPECT_EQ(pids(text, {process}), std::set<pid_t>{700}) << text;
    for (const char* text :
         {"70", "7000", "ngin", "/system.slice/nginx", "/", "/nginx.service", "nginx.servic", ""})
        EXPECT_TRUE(pids(text, {process}).empty()) << text;
}

TEST(ServiceName, APidHasChildren) {
    Process grandchild;
    grandchild.pid = 10;
    grandchild.parent = 900;
    Process child;
    child.pid = 900;
    child.parent = 700;
    Process parent;
    parent.pid = 700;
    parent.parent = 1;
    Process other;
    other.pid = 701;
    other.parent = 1;
    EXPECT_EQ(pids("700", {grandchild, child, parent, other}), (std::set<pid_t>{10, 700, 900}));
    EXPECT_TRUE(pids("5", {grandchild, child, parent, other}).empty());
}

}  // namespace
}  // namespace libra
