// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <span>

#include "service.h"

namespace libra {
namespace {

// Stands for the kernel, and can refuse as it would.
class FakeBackend final : public PolicyBackend {
  public:
    Status install(const libra_policy& policy) override {
        if (refuse)
            return Error("no memory", ENOMEM);
        installed = policy;
        for (const libra_rule& rule : std::span(policy.rules, policy.count)) {
            const bool requests = rule.attach.flags & LIBRA_F_ANCHOR_REQUESTS;
            steps += rule.roles & LIBRA_MATCH_PASSIVE ? requests ? "L" : "l" : "";
            steps += rule.roles & LIBRA_MATCH_ACTIVE ? requests ? "U" : "u" : "";
        }
        return step("");
    }
    Status adopt(std::uint32_t role) override {
        return step(role == LIBRA_MATCH_PASSIVE ? "adopt-clients" : "adopt-upstreams");
    }
    Status stop(std::uint32_t policy) override { return step(fmt::format("stop-{}", policy)); }
    Result<std::uint64_t> unattached() override { return waiting; }
    Status attached_since(std::uint64_t count) override {
        waiting -= count;
        return step(fmt::format("attached-{}", count));
    }
    Status clear_counters(std::uint32_t) override { return Ok{}; }
    Result<libra_rule_counters> counters(std::uint32_t slot) override {
        libra_rule_counters counters{};
        counters.matched = slot + 1;
        counters.refused = 1;
        counters.last_error = -ENOENT;
        return counters;
    }

    // What was done since the last call.
    std::string taken() { return std::exchange(steps, {}); }

    std::uint64_t waiting = 0;
    bool refuse = false;
    std::set<std::string> refuse_once;
    libra_policy installed{};

  private:
    Status step(const std::string& name) {
        steps += name + " ";
        if (refuse_once.erase(name))
            return Error("not now", EAGAIN);
        return Ok{};
    }

    // Policies as their rules: l for a listener, u for an upstream, in capitals
    // with requests anchored.
    std::string steps;
};

class ServiceTest : public testing::Test {
  protected:
    Json ask(const std::string& line) { return Json::parse(service_.handle(line)); }

    static constexpr const char* kAttachRequests =
        R"({"op":"attach","parser":"http1","domain":1,"mode":"token","anchor_requests":true,)"
        R"("listen":["*:80"],"upstream":["10.0.0.1:80"]})";
    static constexpr const char* kAttach =
        R"({"op":"attach","parser":"http1","domain":1,"mode":"token",)"
        R"("listen":["*:80"],"upstream":["10.0.0.1:80"]})";

    FakeBackend backend_;
    Service service_{backend_, {"http1"}, 42};
};

TEST_F(ServiceTest, AttachesAndReports) {
    EXPECT_EQ(ask(kAttach), (Json{{"ok", true}, {"policy", 1}}));
    EXPECT_EQ(backend_.installed.count, 2U);
    EXPECT_EQ(backend_.installed.rules[0].netns_cookie, 42U);

    const Json status = ask(R"({"op":"status"})");
    EXPECT_EQ(status["parsers"], Json::array({"http1"}));
    const Json& policy = status["policies"][0];
    EXPECT_EQ(policy["mode"], "token");
    EXPECT_EQ(policy["rules"][0]["role"], "listen");
    EXPECT_EQ(policy["rules"][1]["address"], "10.0.0.1:80");
    EXPECT_EQ(policy["rules"][1]["matched"], 2);
    EXPECT_EQ(policy["rules"][1]["last_error"], "No such file or directory");
}

TEST_F(ServiceTest, NothingIsHalfDoneWhenTheKernelRefuses) {
    backend_.refuse = true;
    EXPECT_EQ(ask(kAttach), (Json{{"ok", false}, {"error", "no memory"}}));
    EXPECT_TRUE(ask(R"({"op":"status"})")["policies"].empty());

    backend_.refuse = false;
    ask(kAttach);
    backend_.refuse = true;
    EXPECT_EQ(ask(R"({"op":"detach","all":true})")["ok"], false);
    EXPECT_EQ(ask(R"({"op":"status"})")["policies"].size(), 1U);
}

TEST_F(ServiceTest, DetachEmptiesTheKernel) {
    ask(kAttach);
    EXPECT_EQ(ask(R"({"op":"detach","policy":1})"), (Json{{"ok", true}, {"detached", {1}}}));
    EXPECT_EQ(backend_.installed.count, 0U);
    EXPECT_EQ(ask(R"({"op":"detach","policy":1})")["error"], "there is no policy 1");
}

// A client that is not attached while an upstream is would be sent tokens.
TEST_F(ServiceTest, ClientsComeBeforeUpstreamsAndGoAfterThem) {
    ask(kAttach);
    EXPECT_EQ(backend_.taken(), "l adopt-clients lu ");
    ask(kAttach);
    EXPECT_EQ(backend_.taken(), "lul adopt-clients lulu ");
    ask(R"({"op":"detach","policy":1})");
    EXPECT_EQ(backend_.taken(), "llu stop-1 lu ");
    ask(kAttach);
    backend_.taken();
    ask(R"({"op":"detach","all":true})");
    EXPECT_EQ(backend_.taken(), "ll stop-2 stop-3  ");
}

TEST_F(ServiceTest, RequestsAreAnchoredLastAndNoMoreFirst) {
    ask(kAttachRequests);
    EXPECT_EQ(backend_.taken(), "l adopt-clients lu adopt-upstreams LU ");
    ask(R"({"op":"detach","policy":1})");
    EXPECT_EQ(backend_.taken(), "lu stop-1 l stop-1  ");
}

TEST_F(ServiceTest, AttachIsTakenBackWhenItFailsHalfway) {
    backend_.refuse_once = {"adopt-clients"};
    EXPECT_EQ(ask(kAttach), (Json{{"ok", false}, {"error", "not now"}}));
    EXPECT_EQ(backend_.taken(), "l adopt-clients l stop-1  ");
    backend_.refuse_once = {"adopt-upstreams"};
    EXPECT_EQ(ask(kAttachRequests), (Json{{"ok", false}, {"error", "not now"}}));
    EXPECT_EQ(backend_.taken(), "l adopt-clients lu adopt-upstreams lu stop-1 l stop-1  ");
    EXPECT_TRUE(ask(R"({"op":"status"})")["policies"].empty());
}

TEST_F(ServiceTest, DetachIsTakenBackWhenItFailsHalfway) {
    ask(kAttach);
    backend_.taken();
    backend_.refuse_once = {"stop-1"};
    EXPECT_EQ(ask(R"({"op":"detach","policy":1})"), (Json{{"ok", false}, {"error", "not now"}}));
    EXPECT_EQ(backend_.taken(), "l stop-1 l adopt-clients lu ");
    EXPECT_EQ(ask(R"({"op":"status"})")["policies"].size(), 1U);
}

TEST_F(ServiceTest, WhatCannotBeTakenBackStaysVisible) {
    backend_.refuse_once = {"adopt-clients", "stop-1"};
    EXPECT_EQ(ask(kAttach)["error"], "not now; policy 1 is in force in part, detach it (not now)");
    EXPECT_EQ(ask(R"({"op":"detach","policy":1})")["ok"], true);
    EXPECT_EQ(backend_.installed.count, 0U);
}

TEST_F(ServiceTest, ShutdownDetachesAll) {
    ask(kAttach);
    backend_.taken();
    EXPECT_TRUE(service_.shutdown());
    EXPECT_EQ(backend_.taken(), "l stop-1  ");
}

TEST_F(ServiceTest, ConnectionsThatCouldNotBeAttachedAreAdopted) {
    ask(kAttach);
    backend_.taken();
    service_.tend();
    EXPECT_EQ(backend_.taken(), "");

    backend_.waiting = 2;
    EXPECT_EQ(ask(R"({"op":"status"})")["unattached"], 2);
    backend_.refuse_once = {"adopt-clients"};
    service_.tend();
    EXPECT_EQ(backend_.taken(), "adopt-clients ");
    EXPECT_EQ(backend_.waiting, 2U);
    service_.tend();
    EXPECT_EQ(backend_.taken(), "adopt-clients attached-2 ");
    EXPECT_EQ(ask(R"({"op":"status"})")["unattached"], 0);
}

TEST_F(ServiceTest, UpstreamsAreAdoptedWhereRequestsAreAnchored) {
    ask(kAttachRequests);
    backend_.taken();
    backend_.waiting = 1;
    backend_.refuse_once = {"adopt-upstreams"};
    service_.tend();
    EXPECT_EQ(backend_.taken(), "adopt-clients adopt-upstreams ");
    service_.tend();
    EXPECT_EQ(backend_.taken(), "adopt-clients adopt-upstreams attached-1 ");
}

TEST_F(ServiceTest, UnknownParserListsTheLoaded) {
    EXPECT_EQ(ask(R"({"op":"attach","parser":"gopher","domain":1,"mode":"token"})")["error"],
              "unknown parser 'gopher'; loaded: http1");
}

TEST_F(ServiceTest, BadCgroupIsRefused) {
    EXPECT_EQ(ask(R"({"op":"attach","parser":"http1","domain":1,"mode":"token","cgroup":"/proc"})")
                  ["error"],
              "'/proc' is not in a cgroup v2 file system");
}

TEST_F(ServiceTest, GarbageIsAnswered) {
    for (const char* line : {"", "null", "{", "\xff", R"({"op":null})"})
        EXPECT_EQ(ask(line)["ok"], false);
}

}  // namespace
}  // namespace libra
