// SPDX-License-Identifier: GPL-2.0-only
// Names in a file system of cgroups, which a machine of a build need not have.
#include <gtest/gtest.h>

#include "cgroup.h"

namespace libra {
namespace {

TEST(CgroupFiles, OneThatIsNotThereYetIsToldFromWhatCanNeverBeOne) {
    EXPECT_TRUE(cgroup_id("/sys/fs/cgroup"));
    for (const char* path : {"/sys/fs/cgroup/libra-none", "/sys/fs/cgroup/libra-none/below"}) {
        const auto id = cgroup_id(path);
        ASSERT_FALSE(id) << path;
        EXPECT_EQ(id.error().code(), ENOENT) << path;
    }
    const auto file = cgroup_id("/sys/fs/cgroup/cgroup.procs");
    ASSERT_FALSE(file);
    EXPECT_NE(file.error().code(), ENOENT);
}

}  // namespace
}  // namespace libra
