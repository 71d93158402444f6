// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "container.h"
#include "fake_host.h"

namespace libra::service {
namespace {

constexpr const char* kInspected =
    R"({"Name":"/web","State":{"Pid":42},"Config":{"Image":"nginx:1.27","User":"101",)"
    R"("Env":["PATH=/bin","LD_PRELOAD=/j.so"]}})";

TEST(Container, IsReadAsInspectPrintsIt) {
    const auto container = parse_container("docker", kInspected);
    ASSERT_TRUE(container);
    EXPECT_EQ(container->name, "web");
    EXPECT_EQ(container->image, "nginx:1.27");
    EXPECT_EQ(container->preload, "/j.so");
    EXPECT_EQ(container->pid, 42);
    EXPECT_FALSE(parse_container("docker", "[]"));
    EXPECT_FALSE(parse_container("docker", ""));
    EXPECT_TRUE(parse_container("docker", R"({"Name":3,"Config":[],"State":null})"));
}

TEST(Container, OptionsKeepWhatItHas) {
    const auto container = parse_container("docker", kInspected);
    const auto options = run_options(*container, "/usr/lib/libra/libra-malloc.so", "/dev/libra",
                                     {.group = "libra", .group_id = 977, .root_only = false});
    EXPECT_EQ(options,
              (std::vector<std::string>{
                  "--device /dev/libra",
                  "-v /usr/lib/libra/libra-malloc.so:/usr/lib/libra/libra-malloc.so:ro",
                  "-e LD_PRELOAD=/usr/lib/libra/libra-malloc.so:/j.so", "--group-add 977"}));
}

TEST(Container, NamesAreWords) {
    EXPECT_TRUE(check_container_name("web_1.x-y"));
    for (const char* name : {"", "-rm", "a b", "a/b", "a\nb", ".a", "a;b"})
        EXPECT_FALSE(check_container_name(name)) << name;
}

TEST(Container, MuslIsSeen) {
    const FakeHost fake;
    Container container;
    container.pid = 42;
    EXPECT_FALSE(is_musl(fake.host, container));
    fake.write("proc/42/root/lib/ld-musl-x86_64.so.1", "");
    EXPECT_TRUE(is_musl(fake.host, container));
}

}  // namespace
}  // namespace libra::service
