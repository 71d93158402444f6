// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "explain.h"
#include "fake_host.h"
#include "processes.h"
#include "target.h"

namespace libra::service {
namespace {

TEST(Owner, OfACgroup) {
    const std::string id(64, 'a');
    const auto is = [](std::string_view cgroup, Owner::Kind kind, std::string_view name) {
        const Owner owner = owner_of(cgroup);
        return owner.kind == kind && owner.name == name;
    };
    EXPECT_TRUE(is("/system.slice/nginx.service", Owner::Kind::service, "nginx.service"));
    EXPECT_TRUE(is("/system.slice/system-web.slice/web@a.service/sub", Owner::Kind::service,
                   "web@a.service"));
    EXPECT_TRUE(is("/system.slice/docker-" + id + ".scope", Owner::Kind::container, id));
    EXPECT_TRUE(is("/machine.slice/libpod-" + id + ".scope/container", Owner::Kind::container, id));
    EXPECT_TRUE(is("/docker/" + id, Owner::Kind::container, id));
    EXPECT_TRUE(is("/user.slice/user-7.slice/user@7.service/app.slice/web.service",
                   Owner::Kind::user_service, "web.service"));
    EXPECT_TRUE(is("/user.slice/user-7.slice/session-1.scope", Owner::Kind::nobody, ""));
    EXPECT_TRUE(is("/", Owner::Kind::nobody, ""));
    // A guest's own, which may have any name.
    EXPECT_TRUE(is("/lxc.payload.a/system.slice/nginx.service", Owner::Kind::nobody, ""));
    EXPECT_TRUE(is("/machine.slice/machine-a.scope/payload/system.slice/nginx.service",
                   Owner::Kind::nobody, ""));
    EXPECT_TRUE(is("/machine.slice/systemd-nspawn@a.service/payload/system.slice/nginx.service",
                   Owner::Kind::service, "systemd-nspawn@a.service"));
}

TEST(Target, IsWhatItLooksLike) {
    const FakeHost fake;
    fake.unit("web.service", "Id=web.service\nLoadState=loaded\n");
    fake.write("cgroup/system.slice/web.service/cgroup.procs", "3\n");
    fake.write("cgroup/other/cgroup.procs", "");
    const auto kind = [&](const std::string& text) {
        const auto target = resolve(fake.host, fake.systemd, text);
        return target ? std::optional(target->kind) : std::nullopt;
    };
    EXPECT_EQ(kind("web"), Kind::service);
    EXPECT_EQ(kind("web.service"), Kind::service);
    EXPECT_EQ(kind("123"), Kind::process);
    EXPECT_EQ(kind("docker:web"), Kind::container);
    EXPECT_EQ(kind(fake.path("cgroup/other").string()), Kind::cgroup);
    EXPECT_EQ(kind(fake.path("cgroup/system.slice/web.service").string()), Kind::service);
    EXPECT_EQ(kind(fake.path("cgroup/other/../../etc").string()), std::nullopt);
    EXPECT_EQ(kind("/etc"), std::nullopt);
    EXPECT_EQ(kind("docker:-v"), std::nullopt);
    EXPECT_EQ(kind("99999999999999"), std::nullopt);
    EXPECT_EQ(kind("../web"), std::nullopt);
    EXPECT_EQ(kind(""), std::nullopt);
}

TEST(Explanation, OfAProcessNamesItsService) {
    const FakeHost fake;
    fake.write("proc/42/cgroup", "0::/system.slice/nginx.service\n");
    fake.write("proc/43/cgroup", "0::/\n");
    const auto of = [&](pid_t pid) { return explain(fake.host, {Kind::process, "", "", pid}, {}); };
    ASSERT_TRUE(of(42));
    EXPECT_EQ(of(42)->lines, std::vector<std::string>{"libractl attach nginx.service"});
    EXPECT_EQ(of(43)->lines, std::vector<std::string>{"libractl run -- PROGRAM [ARGUMENT]..."});
    EXPECT_EQ(of(43)->json["ok"], false);
    EXPECT_FALSE(of(44));
}

TEST(Explanation, OfAContainerHasWhatADropInWouldHave) {
    const FakeHost fake;
    fake.write("proc/77/cgroup", "0::/\n");
    std::filesystem::create_symlink("/usr/sbin/nginx", fake.path("proc/77/exe"));
    const auto lines_of = [&](const std::string& variables) {
        fake.write("runtime", "#!/bin/sh\necho '{\"State\":{\"Pid\":77},\"Config\":{\"Env\":[" +
                                  variables + "]}}'\n");
        std::filesystem::permissions(fake.path("runtime"), std::filesystem::perms::owner_all);
        const auto told =
            explain(fake.host, {Kind::container, "web", fake.path("runtime").string(), 0},
                    {.library = "/l.so", .min_block = std::nullopt});
        EXPECT_TRUE(told) << told.error().message();
        return told ? fmt::format("{}", fmt::join(told->lines, "\n")) : "";
    };
    EXPECT_NE(lines_of("").find("-e LIBRA_MALLOC_MIN=4096 "), std::string::npos) << lines_of("");
    EXPECT_EQ(lines_of("\"LIBRA_MALLOC_MIN=8192\"").find("MALLOC_MIN"), std::string::npos);
}

// What was written to attach is no way to detach.
TEST(Explanation, OfDetaching) {
    const FakeHost fake;
    fake.write("proc/42/cgroup", "0::/system.slice/nginx.service\n");
    fake.write("proc/43/cgroup", "0::/\n");
    const Wishes wishes{.library = "/l.so", .min_block = std::nullopt};
    const auto of = [&](Kind kind, const char* name, pid_t pid) {
        return explain_detach(fake.host, {kind, name, "docker", pid}, wishes);
    };
    ASSERT_TRUE(of(Kind::process, "", 42));
    EXPECT_EQ(of(Kind::process, "", 42)->lines,
              std::vector<std::string>{"libractl detach nginx.service"});
    EXPECT_FALSE(of(Kind::process, "", 44));
    for (const auto& none : {of(Kind::process, "", 43), of(Kind::cgroup, "/other", 0),
                             of(Kind::container, "web", 0)}) {
        ASSERT_FALSE(none);
        EXPECT_NE(none.error().message().find("without /l.so in its LD_PRELOAD"), std::string::npos)
            << none.error().message();
    }
    EXPECT_EQ(explain_user_detach("web.service", wishes).lines,
              (std::vector<std::string>{"systemctl --user edit web.service",
                                        "systemctl --user restart web.service"}));
}

TEST(Explanation, OfAUsersServiceGoesByItsName) {
    const auto has = [](const char* name, std::optional<std::size_t> min_block) {
        const auto lines =
            explain_user_service(name, {.library = "/l.so", .min_block = min_block}).lines;
        return fmt::format("{}", fmt::join(lines, "\n"));
    };
    EXPECT_NE(has("nginx.service", std::nullopt).find("\nEnvironment=LIBRA_MALLOC_MIN=4096\n"),
              std::string::npos);
    EXPECT_NE(has("nginx.service", 8192).find("LIBRA_MALLOC_MIN=8192"), std::string::npos);
    EXPECT_EQ(has("haproxy.service", std::nullopt).find("MALLOC_MIN"), std::string::npos);
}

TEST(Processes, OfACgroupAndThoseBelow) {
    const FakeHost fake;
    fake.write("cgroup/a/cgroup.procs", "3\n0\n1\n");
    fake.write("cgroup/a/b/cgroup.procs", "2\n3\n");
    EXPECT_EQ(processes_of(fake.host, "/a"), (std::vector<pid_t>{1, 2, 3}));
    EXPECT_TRUE(processes_of(fake.host, "").empty());
    EXPECT_TRUE(processes_of(fake.host, "/none").empty());
}

}  // namespace
}  // namespace libra::service
