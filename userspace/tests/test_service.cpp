// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

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
        return Ok{};
    }
    Status clear_counters(std::uint32_t) override { return Ok{}; }
    Result<libra_rule_counters> counters(std::uint32_t slot) override {
        libra_rule_counters counters{};
        counters.matched = slot + 1;
        counters.refused = 1;
        counters.last_error = -ENOENT;
        return counters;
    }

    bool refuse = false;
    libra_policy installed{};
};

class ServiceTest : public testing::Test {
  protected:
    Json ask(const std::string& line) { return Json::parse(service_.handle(line)); }

    static constexpr const char* kAttach =
        R"({"op":"attach","parser":"http1","domain":1,"mode":"on",)"
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
    EXPECT_EQ(policy["mode"], "on");
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

TEST_F(ServiceTest, UnknownParserListsTheLoaded) {
    EXPECT_EQ(ask(R"({"op":"attach","parser":"gopher","domain":1,"mode":"on"})")["error"],
              "unknown parser 'gopher'; loaded: http1");
}

TEST_F(ServiceTest, BadCgroupIsRefused) {
    EXPECT_EQ(
        ask(R"({"op":"attach","parser":"http1","domain":1,"mode":"on","cgroup":"/proc"})")["error"],
        "'/proc' is not in a cgroup v2 file system");
}

TEST_F(ServiceTest, GarbageIsAnswered) {
    for (const char* line : {"", "null", "{", "\xff", R"({"op":null})"})
        EXPECT_EQ(ask(line)["ok"], false);
}

}  // namespace
}  // namespace libra
