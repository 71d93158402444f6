// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "fake_host.h"
#include "known_programs.h"
#include "payload_check.h"

namespace libra::service {
namespace {

constexpr std::uint64_t kMuch = 64U << 20;

// What the service has sent is known, or only what all have.
Counters counters(std::map<std::string, std::uint64_t> values, std::uint64_t octets,
                  std::optional<std::uint64_t> sent = std::nullopt) {
    return {.values = std::move(values), .octets = octets, .octets_out = octets, .sent = sent};
}

constexpr Preloaded kNone{}, kLoaded{true, false}, kReady{true, true};

TEST(Verdict, OfWhatWasSeen) {
    const Counters before = counters({{"lazy_tx_bytes", 5}}, 100, 0);
    const Counters idle = counters({{"lazy_tx_bytes", 5}}, 200, 100);
    const Counters native = counters({{"lazy_tx_bytes", 5}}, kMuch, kMuch);
    const Counters lazy = counters({{"lazy_tx_bytes", kMuch / 2}}, kMuch, kMuch);
    const auto of = [&](const std::vector<Preloaded>& all, const Counters& now) {
        return judge(all, before, now).verdict;
    };
    EXPECT_EQ(of({}, idle), Verdict::not_running);
    EXPECT_EQ(of({kReady, kNone}, lazy), Verdict::not_loaded);
    EXPECT_EQ(of({kLoaded, kReady}, idle), Verdict::idle);
    EXPECT_EQ(of({kLoaded, kReady}, lazy), Verdict::stays);
    EXPECT_EQ(of({kLoaded, kReady}, native), Verdict::copied);
    EXPECT_EQ(of({kLoaded}, native), Verdict::no_memory);
    EXPECT_EQ(of({kLoaded}, idle), Verdict::idle);
    EXPECT_TRUE(good(Verdict::idle));
    EXPECT_FALSE(good(Verdict::copied));
}

TEST(Verdict, AFewBytesAreNoProof) {
    constexpr std::uint64_t kSent = 1000000;
    const auto of = [](std::uint64_t lazy, std::optional<std::uint64_t> sent) {
        return judge({kReady}, counters({}, 0, 0),
                     counters({{"lazy_rx_bytes", kMuch}, {"lazy_tx_bytes", lazy}}, kSent, sent));
    };
    EXPECT_EQ(of(1, kSent).verdict, Verdict::copied);
    EXPECT_EQ(of(kSent / 10 - 1, kSent).verdict, Verdict::copied);
    EXPECT_EQ(of(kSent / 10, kSent).verdict, Verdict::stays);
    EXPECT_EQ(of(kSent / 10, kSent).share, 0.1);
    EXPECT_EQ(
        judge({kReady}, counters({}, 0, kSent), counters({{"lazy_tx_bytes", 1}}, 0, kSent + 4))
            .share,
        0.25);
    EXPECT_EQ(of(2 * kSent, kSent).share, 1.0);  // it was counted, and has not left yet
    EXPECT_EQ(of(1, 1).verdict, Verdict::idle);
    EXPECT_EQ(of(0, 0).share, std::nullopt);
    // What others send may be in it, so it is more than that.
    EXPECT_EQ(of(kSent / 2, std::nullopt).share, 0.5);
    EXPECT_FALSE(of(kSent / 2, std::nullopt).sent_by_service);
}

TEST(Verdict, HasWords) {
    const Counters before = counters({}, 0, 0);
    const auto say = [&](const Counters& now) {
        return words_for(judge({kReady}, before, now), "a.service");
    };
    const auto has = [](const std::string& text, const char* words) {
        return text.find(words) != std::string::npos;
    };
    EXPECT_TRUE(has(say(counters({}, 100, 100)), "no traffic to speak of yet"));
    const auto stays = say(counters({{"lazy_tx_bytes", kMuch / 2}}, kMuch, kMuch));
    EXPECT_TRUE(has(stays, "payload stays in the kernel: 64 MB sent within")) << stays;
    EXPECT_TRUE(has(stays, ", 50 % of it from there")) << stays;
    const auto least = say(counters({{"lazy_tx_bytes", kMuch / 2}}, kMuch));
    EXPECT_TRUE(has(least, "in its network namespace")) << least;
    EXPECT_TRUE(has(least, "at least 50 %")) << least;
    const auto copied = say(counters({{"lazy_tx_bytes", kMuch / 32}}, kMuch, kMuch));
    EXPECT_TRUE(has(copied, "too little payload stays in the kernel")) << copied;
    EXPECT_TRUE(has(copied, "3.1 % of it from there, where at least 10 % is wanted")) << copied;
    EXPECT_TRUE(has(say(counters({{"fallback_lazy_shared_frag", 3}}, kMuch, kMuch)),
                    "fallback_lazy_shared_frag 3 ("));
    EXPECT_TRUE(
        has(say(counters({{"lazy_tx_bytes", kMuch}, {"payload_processes", 2}}, kMuch, kMuch)),
            "other processes"));
}

TEST(Verdict, IsForProgramsToo) {
    const Counters before = counters({}, 0, 0);
    const Json json =
        to_json(judge({kReady}, before, counters({{"lazy_tx_bytes", kMuch / 4}}, kMuch, kMuch)));
    EXPECT_EQ(json["verdict"], "stays");
    EXPECT_EQ(json["share"], 0.25);
    EXPECT_EQ(json["sent_bytes"], kMuch);
    EXPECT_EQ(json["sent_by"], "service");
    EXPECT_EQ(to_json(judge({kReady}, before, counters({}, 100)))["verdict"], "idle");
    EXPECT_EQ(to_json(judge({}, before, before))["verdict"], "not_running");
    EXPECT_TRUE(to_json(judge({}, before, before))["share"].is_null());
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
               "TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 3 44 55\n");
    const auto read = read_counters(fake.host, 9);
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)["lazy_rx_bytes"], 7U);
    EXPECT_EQ((*read)["none"], 0U);
    EXPECT_EQ(read->octets, 44U);
    EXPECT_EQ(read->octets_out, 55U);
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
