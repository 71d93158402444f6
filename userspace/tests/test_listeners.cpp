// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "listeners.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

// A /proc of its own.
class ListenersTest : public testing::Test {
  protected:
    ListenersTest()
        : proc_(fs::temp_directory_path() / ("libra-proc-" + std::to_string(getpid()))) {
        fs::create_directories(proc_ / "self" / "net");
        for (const char* name : {"tcp", "tcp6"})
            std::ofstream(proc_ / "self" / "net" / name) << "  sl  local_address rem_address ...\n";
    }
    ~ListenersTest() override { fs::remove_all(proc_); }

    void socket(const char* table, const std::string& local, const char* state, int inode) {
        std::ofstream(proc_ / "self" / "net" / table, std::ios::app)
            << "   0: " << local << " 00000000:0000 " << state
            << " 00000000:00000000 00:00000000 00000000     0        0 " << inode
            << " 1 0000000000000000 100 0 0 10 0\n";
    }
    void process(const char* pid, std::initializer_list<int> inodes) {
        fs::create_directories(proc_ / pid / "fd");
        int fd = 0;
        for (const int inode : inodes)
            fs::create_symlink("socket:[" + std::to_string(inode) + "]",
                               proc_ / pid / "fd" / std::to_string(fd++));
        fs::create_symlink("/dev/null", proc_ / pid / "fd" / std::to_string(fd));
    }
    std::vector<std::string> found(std::initializer_list<const char*> rules) {
        std::vector<Endpoint> endpoints;
        for (const char* rule : rules)
            endpoints.push_back(*parse_endpoint(rule, Prefix::refused));
        return left_out(proc_, endpoints, endpoints);
    }

    using Names = std::vector<std::string>;
    fs::path proc_;
};

// As Debian's nginx has it.
TEST_F(ListenersTest, TheOtherAddressFamily) {
    socket("tcp", "00000000:0050", "0A", 10);
    socket("tcp6", "00000000000000000000000000000000:0050", "0A", 11);
    process("100", {10, 11});
    process("101", {10, 11});
    EXPECT_EQ(found({"0.0.0.0:80"}), Names{"[::]:80"});
    EXPECT_EQ(found({"*:80"}), Names{});
    EXPECT_EQ(found({"127.0.0.1:80"}), (Names{"0.0.0.0:80", "[::]:80"}));
}

TEST_F(ListenersTest, OtherPortsAndAddresses) {
    socket("tcp", "0100007F:1F90", "0A", 10);
    socket("tcp", "0200007F:1F90", "0A", 11);
    socket("tcp", "0100007F:01BB", "0A", 12);
    socket("tcp", "0100007F:1F91", "01", 13);  // a connection
    socket("tcp6", "B80D0120000000000000000001000000:1F90", "0A", 14);
    process("100", {10, 11, 12, 13, 14});
    EXPECT_EQ(found({"127.0.0.1:8080"}),
              (Names{"127.0.0.1:443", "127.0.0.2:8080", "[2001:db8::1]:8080"}));
    EXPECT_EQ(found({"127.0.0.1:8080", "127.0.0.2:8080", "127.0.0.1:443", "[2001:db8::1]:8080"}),
              Names{});
}

TEST_F(ListenersTest, OtherProcessesAreNoneOfItsBusiness) {
    socket("tcp", "0100007F:1F90", "0A", 10);
    socket("tcp", "0100007F:0016", "0A", 11);
    process("100", {10});
    process("101", {11});
    EXPECT_EQ(found({"127.0.0.1:8080"}), Names{});
    EXPECT_EQ(found({"127.0.0.1:9999"}), Names{});
    EXPECT_EQ(left_out("/nonexistent", {}, {}), Names{});
}

}  // namespace
}  // namespace libra
