// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "durable_file.h"
#include "fake_host.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

TEST(FileChange, IsTakenBackUnlessKept) {
    const FakeHost fake;
    const auto file = fake.path("etc/a.d/libra.conf");
    {
        auto change = FileChange::write(file, "one");
        ASSERT_TRUE(change);
        EXPECT_EQ(fake.read("etc/a.d/libra.conf"), "one");
    }
    EXPECT_FALSE(fs::exists(file.parent_path()));
    FileChange::write(file, "one").value().keep();
    EXPECT_EQ(fake.read("etc/a.d/libra.conf"), "one");
    { auto change = FileChange::write(file, "two"); }
    EXPECT_EQ(fake.read("etc/a.d/libra.conf"), "one");
    {
        auto change = FileChange::write(file, "two");
        change->keep();
        ASSERT_TRUE(change->take_back());
    }
    EXPECT_EQ(fake.read("etc/a.d/libra.conf"), "one");
    { auto change = FileChange::remove(file, true); }
    EXPECT_EQ(fake.read("etc/a.d/libra.conf"), "one");
    FileChange::remove(file, true).value().keep();
    EXPECT_FALSE(fs::exists(file.parent_path()));
}

TEST(FileChange, LeavesWhatOthersHaveBesideIt) {
    const FakeHost fake;
    const auto file = fake.path("etc/a.d/libra.conf");
    fake.write("etc/a.d/override.conf", "theirs");
    FileChange::write(file, "one").value().keep();
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& each : fs::directory_iterator(file.parent_path()))
        ++count;
    EXPECT_EQ(count, 2U) << "a temporary file is left";
    struct stat status {};
    ASSERT_EQ(stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0644U);
    FileChange::remove(file, true).value().keep();
    EXPECT_EQ(fake.read("etc/a.d/override.conf"), "theirs");
}

TEST(FileChange, ALinkIsNotFollowed) {
    const FakeHost fake;
    fake.write("precious", "text");
    fs::create_directories(fake.path("etc/a.d"));
    fs::create_symlink(fake.path("precious"), fake.path("etc/a.d/libra.conf"));
    EXPECT_FALSE(FileChange::write(fake.path("etc/a.d/libra.conf"), "one"));
    EXPECT_FALSE(read_plain_file(fake.path("etc/a.d/libra.conf")));
    EXPECT_EQ(fake.read("precious"), "text");
}

TEST(FileChange, FailsWhereTheDirectoryCannotBeMade) {
    const FakeHost fake;
    const auto change = FileChange::write(fake.path("nowhere/a.d/libra.conf"), "one");
    EXPECT_FALSE(change);
    EXPECT_FALSE(fs::exists(fake.path("nowhere")));
    EXPECT_FALSE(FileChange::write("/proc/a.d/libra.conf", "one"));
}

}  // namespace
}  // namespace libra::service
