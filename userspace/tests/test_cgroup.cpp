// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "cgroup.h"

namespace libra {
namespace {

TEST(Cgroup, WhatCanNeverBeOneIsTold) {
    for (const char* path : {"/proc", "/proc/none", "/none", "none", "", "/proc/version/none"}) {
        const auto id = cgroup_id(path);
        ASSERT_FALSE(id) << path;
        EXPECT_NE(id.error().code(), ENOENT) << path;
    }
}

TEST(Cgroup, OneThatIsNotThereYetIsToldFromThat) {
    struct statfs fs {};
    if (statfs("/sys/fs/cgroup", &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
        GTEST_SKIP() << "no cgroup v2 here; tests/vm/test_daemon.py has one";
    EXPECT_TRUE(cgroup_id("/sys/fs/cgroup"));
    for (const char* path : {"/sys/fs/cgroup/libra-none", "/sys/fs/cgroup/libra-none/below"}) {
        const auto id = cgroup_id(path);
        ASSERT_FALSE(id) << path;
        EXPECT_EQ(id.error().code(), ENOENT) << path;
    }
    EXPECT_NE(cgroup_id("/sys/fs/cgroup/cgroup.procs").error().code(), ENOENT);
}

}  // namespace
}  // namespace libra
