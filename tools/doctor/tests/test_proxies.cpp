// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "process_checks.h"
#include "proxies.h"

namespace libra::doctor {
namespace {

using Texts = std::vector<std::string>;
using std::string_view_literals::operator""sv;

TEST(Proxies, NginxConfiguration) {
    const auto found = [](const Texts& arguments) {
        return nginx_configuration(arguments, "/cwd", "/etc/nginx/nginx.conf", "/usr/share/nginx");
    };
    EXPECT_EQ(found({"nginx", "-g", "daemon on; master_process on;"}), "/etc/nginx/nginx.conf");
    EXPECT_EQ(found({"nginx", "-c", "/x/a.conf"}), "/x/a.conf");
    EXPECT_EQ(found({"nginx", "-c/x/a.conf"}), "/x/a.conf");
    EXPECT_EQ(found({"nginx", "-c", "a.conf"}), "/usr/share/nginx/a.conf");
    EXPECT_EQ(found({"nginx", "-p", "here", "-c", "conf/../a.conf"}), "/cwd/here/a.conf");
    EXPECT_EQ(found({"nginx", "-c"}), "/etc/nginx/nginx.conf");
}

TEST(Proxies, HaproxyConfiguration) {
    const auto found = [](const Texts& arguments) {
        return haproxy_configuration(arguments, "/cwd");
    };
    EXPECT_EQ(found({"haproxy", "-Ws", "-f", "/etc/h.cfg", "-p", "/run/p", "-f", "conf.d"}),
              (Texts{"/etc/h.cfg", "/cwd/conf.d"}));
    EXPECT_EQ(found({"haproxy", "-C", "/etc", "-sf", "12", "--", "a", "b"}),
              (Texts{"/etc/a", "/etc/b"}));
    EXPECT_EQ(found({"haproxy", "-f"}), Texts{});
}

TEST(Proxies, ConfiguredIsText) {
    EXPECT_EQ(configured("\0x --prefix=/a --conf-path=/b/c.conf --x\0"sv, "--conf-path="),
              "/b/c.conf");
    EXPECT_EQ(configured("--conf-path=/b\0c"sv, "--conf-path="), "/b");
    EXPECT_EQ(configured("nothing", "--conf-path="), "");
}

class FindProxies : public MachineTest {
  protected:
    void process(int pid, int parent, std::string_view name, std::string_view arguments) {
        const std::string directory = "/proc/" + std::to_string(pid);
        file(directory + "/comm", std::string(name) + "\n");
        file(directory + "/status",
             "Name:\t" + std::string(name) + "\nPPid:\t" + std::to_string(parent) + "\n");
        file(directory + "/cmdline", arguments);
        link(directory + "/cwd", "/srv");
    }
};

TEST_F(FindProxies, MastersWithTheirWorkers) {
    process(10, 1, "nginx", "nginx: master process /usr/sbin/nginx -c /e/n.conf\0\0\0"sv);
    process(11, 10, "nginx", "nginx: worker process");
    process(12, 10, "nginx", "nginx: worker process");
    process(20, 1, "haproxy", "haproxy\0-Ws\0-f\0h.cfg\0"sv);
    process(21, 20, "haproxy", "haproxy\0-sf\0"sv);
    process(30, 1, "bash", "bash\0");
    const auto proxies = find_proxies(machine, 0);
    ASSERT_EQ(proxies.size(), 2U);
    EXPECT_EQ(proxies[0].title(), "nginx, pid 10, /e/n.conf");
    EXPECT_EQ(proxies[0].processes, (std::vector{10, 11, 12}));
    EXPECT_EQ(proxies[1].title(), "haproxy, pid 20, /srv/h.cfg");
    EXPECT_EQ(proxies[1].processes, (std::vector{20, 21}));
}

TEST_F(FindProxies, WhoseArgumentsMayNotBeRead) {
    process(20, 1, "haproxy", "");
    const auto proxies = find_proxies(machine, 0);
    ASSERT_EQ(proxies.size(), 1U);
    EXPECT_FALSE(proxies[0].note.empty());
}

TEST_F(FindProxies, InstalledOnes) {
    file("/usr/sbin/nginx", "\0--conf-path=/opt/n.conf --x"sv);
    file("/usr/sbin/haproxy", "");
    const auto proxies = find_proxies(machine, 0);
    ASSERT_EQ(proxies.size(), 2U);
    EXPECT_EQ(proxies[0].title(), "nginx, /opt/n.conf");
    EXPECT_EQ(proxies[1].title(), "haproxy, /etc/haproxy/haproxy.cfg");
}

// In another mount namespace and with another root its paths are not ours.
TEST_F(FindProxies, InAContainer) {
    process(10, 1, "nginx", "nginx: master process nginx");
    file("/proc/self/root/x", "");
    file("/proc/10/root/x", "");
    link("/proc/self/ns/mnt", "mnt:[1]");
    link("/proc/10/ns/mnt", "mnt:[2]");
    const auto proxies = find_proxies(machine, 0);
    ASSERT_EQ(proxies.size(), 1U);
    EXPECT_TRUE(proxies[0].configuration.empty());
    EXPECT_NE(proxies[0].note.find("container"), std::string::npos);
}

// Their command line may name what only root can read.
TEST_F(FindProxies, OfAnotherUserIsReadByThatUserOnly) {
    process(10, 1, "nginx", "nginx: master process nginx -c /etc/shadow");
    file("/proc/10/status", "Name:\tnginx\nPPid:\t1\nUid:\t1000\t1000\t1000\t1000\n");
    const auto proxies = find_proxies(machine, 0);
    ASSERT_EQ(proxies.size(), 1U);
    EXPECT_TRUE(proxies[0].configuration.empty());
    EXPECT_NE(proxies[0].note.find("the user 1000"), std::string::npos);
    const auto own = find_proxies(machine, 1000);
    ASSERT_EQ(own.size(), 1U);
    EXPECT_EQ(own[0].configuration, std::vector<std::string>{"/etc/shadow"});
}

class ProcessChecks : public FindProxies {
  protected:
    ProcessChecks() {
        good();
        process(10, 1, "nginx", "");
        file("/proc/10/maps", kPreloaded + kPayload);
        file("/proc/10/limits", limits("unlimited", "unlimited", "8388608"));
        file("/proc/10/cgroup", "0::/system.slice/nginx.service\n");
    }

    static std::string limits(std::string_view space, std::string_view data,
                              std::string_view locked) {
        return "Limit                     Soft Limit           Hard Limit           Units\n"
               "Max data size             " +
               std::string(data) +
               "            unlimited  bytes\n"
               "Max locked memory         " +
               std::string(locked) +
               "            8388608    bytes\n"
               "Max address space         " +
               std::string(space) + "            unlimited  bytes\n";
    }

    std::vector<std::string> complaints() {
        std::vector<std::string> out;
        for (const CheckResult& result : check_processes(machine, {"nginx", 10, {10}, {}, ""})) {
            if (result.verdict.state != State::ok)
                out.push_back(std::string(name_of(result.verdict.state)) + " " + result.id);
        }
        return out;
    }

    const std::string kPreloaded = "7f00-7f01 r-xp 0 00:00 1 /usr/lib/libra/libra-malloc.so\n";
    const std::string kPayload = "7e00-7e01 rw-s 0 00:01 2 /payload (deleted)\n";
};

TEST_F(ProcessChecks, NothingIsWrong) {
    EXPECT_EQ(complaints(), Texts{});
}

TEST_F(ProcessChecks, Preload) {
    file("/proc/10/maps", kPreloaded);
    file("/proc/10/root/dev/libra", "");
    EXPECT_EQ(complaints(), Texts{"note preload"});
    remove("/proc/10/root/dev/libra");
    EXPECT_EQ(complaints(), (Texts{"note preload", "bad device"}));
    file("/proc/10/maps", "7f00-7f01 r-xp 0 00:00 1 /usr/lib/libc.so.6\n");
    EXPECT_EQ(complaints(), Texts{"note preload"});
    file("/proc/10/maps", "");
    EXPECT_EQ(complaints(), Texts{"note preload"});
}

TEST_F(ProcessChecks, Limits) {
    file("/proc/10/limits", limits("1073741824", "unlimited", "8388608"));
    EXPECT_EQ(complaints(), Texts{"note limits"});
    file("/proc/10/limits", limits("1073741824", "1073741824", "8388608"));
    EXPECT_EQ(complaints(), (Texts{"note limits", "note limits"}));
}

TEST_F(ProcessChecks, LockedMemory) {
    file("/proc/10/status", "Name:\tnginx\nVmLck:\t       0 kB\n");
    EXPECT_EQ(complaints(), Texts{});
    file("/proc/10/status", "Name:\tnginx\nVmLck:\t      64 kB\n");
    EXPECT_EQ(complaints(), Texts{"bad locked"});
}

// The least of all levels counts.
TEST_F(ProcessChecks, CgroupLimits) {
    file("/sys/fs/cgroup/system.slice/nginx.service/memory.max", "max\n");
    file("/sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
    EXPECT_EQ(complaints(), Texts{});
    file("/sys/fs/cgroup/system.slice/memory.max", "67108864\n");
    EXPECT_EQ(complaints(), Texts{"note cgroup"});
}

}  // namespace
}  // namespace libra::doctor
