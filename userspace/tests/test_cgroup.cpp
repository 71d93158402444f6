// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace libra
