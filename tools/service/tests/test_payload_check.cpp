// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "fake_host.h"
#include "known_programs.h"
#include "payload_check.h"

namespace libra::service {
namespace {

constexpr std::uint64_t kMuch = 64U << 20;

Counters counters(std::map<std::string, std::uint64_t> values, std::uint64_t octets) {
    return {.values = std::move(values), .octets = octets};
}

TEST(Verdict, OfWhatWasSeen) {
    const Preloaded none{}, loaded{true, false}, ready{true, true};
    const Counters before = counters({{"lazy_rx_bytes", 5}}, 100);
    const Counters idle = counters({{"lazy_rx_bytes", 5}}, 200);
    const Counters native = counters({{"lazy_rx_bytes", 5}}, kMuch);
    const Counters lazy = counters({{"lazy_rx_bytes", 65541}}, kMuch);
    const auto of = [&](const std::vector<Preloaded>& all, const Counters& now) {
        return judge(all, before, now).verdict;
    };
    EXPECT_EQ(of({}, idle), Verdict::not_running);
    EXPECT_EQ(of({ready, none}, lazy), Verdict::not_loaded);
    EXPECT_EQ(of({loaded, ready}, idle), Verdict::idle);
    EXPECT_EQ(of({loaded, ready}, lazy), Verdict::stays);
    EXPECT_EQ(of({loaded, ready}, native), Verdict::copied);
    EXPECT_EQ(of({loaded}, native), Verdict::no_memory);
    EXPECT_EQ(of({loaded}, idle), Verdict::idle);
    EXPECT_TRUE(good(Verdict::idle));
    EXPECT_FALSE(good(Verdict::copied));
}

TEST(Verdict, HasWords) {
    const Preloaded ready{true, true};
    const Counters before;
    const auto say = [&](const Counters& now) {
        return words_for(judge({ready}, before, now), "a.service");
    };
    EXPECT_NE(say(counters({}, 100)).find("no traffic yet"), std::string::npos);
    EXPECT_NE(say(counters({{"lazy_rx_bytes", 65536}}, kMuch)).find("stays in the kernel"),
              std::string::npos);
    EXPECT_NE(say(counters({{"fallback_lazy_shared_frag", 3}}, kMuch))
                  .find("fallback_lazy_shared_frag 3 ("),
              std::string::npos);
    EXPECT_NE(say(counters({{"lazy_rx_bytes", 1}, {"payload_processes", 2}}, kMuch))
                  .find("other processes"),
              std::string::npos);
    EXPECT_EQ(to_json(judge({ready}, before, counters({}, 100)))["verdict"], "idle");
    EXPECT_EQ(to_json(judge({}, before, before))["verdict"], "not_running");
}

TEST(Memory, IsKnownByItsName) {
    const FakeHost fake;
    const auto look = [&](const std::string& maps) {
        fake.write("proc/9/maps", maps);
        return look_at_memory(fake.host, 9, "/usr/lib/libra/libra-malloc.so");
    };
    EXPECT_FALSE(look_at_memory(fake.host, 8, "/x"));
    const auto both = look(
        "7f00-7f10 r-xp 00000000 00:15 77 /usr/lib/libra/libra-malloc.so (deleted)\n"
        "7f20-7f30 rw-s 00000000 00:01 99 /payload (deleted)\n");
    ASSERT_TRUE(both);
    EXPECT_TRUE(both->library && both->payload);
    const auto neither = look(
        "7f00-7f10 r-xp 00000000 00:15 77 /usr/lib/not-libra-malloc.so\n"
        "7f20-7f30 rw-p 00000000 00:01 99 /payload (deleted)\n7f40-7f50 rw-p 0 00:00 0 [heap]\n");
    ASSERT_TRUE(neither);
    EXPECT_FALSE(neither->library || neither->payload);
}

TEST(Counters, AreThoseOfTheProcess) {
    const FakeHost fake;
    fake.write("proc/9/net/libra_stat", "lazy_rx_bytes 7\npayload_processes 1\n");
    fake.write("proc/9/net/netstat",
               "TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets\nIpExt: 3 44\n");
    const auto read = read_counters(fake.host, 9);
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)["lazy_rx_bytes"], 7U);
    EXPECT_EQ((*read)["none"], 0U);
    EXPECT_EQ(read->octets, 44U);
    EXPECT_FALSE(read_counters(fake.host, 10));
}

TEST(Boot, ALineLoadsTheModule) {
    const FakeHost fake;
    EXPECT_FALSE(module_comes_with_boot({fake.path("load")}));
    fake.write("load/a.conf", "# libra\nlibra-x\n");
    EXPECT_FALSE(module_comes_with_boot({fake.path("load")}));
    fake.write("load/b.conf", "loop\n  libra \n");
    EXPECT_TRUE(module_comes_with_boot({fake.path("load")}));
}

}  // namespace
}  // namespace libra::service
