// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
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
        installed_ = policy;
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

    Result<std::uint64_t> fail_stops(std::uint32_t policy) override { return aborted[policy]; }
    Status clear_fail_stops(std::uint32_t policy) override {
        aborted.erase(policy);
        return Ok{};
    }
    Result<libra_policy> installed() override { return installed_; }

    // What was done since the last call.
    std::string taken() { return std::exchange(steps, {}); }

    std::uint64_t waiting = 0;
    bool refuse = false;
    std::set<std::string> refuse_once;
    std::map<std::uint32_t, std::uint64_t> aborted;

  private:
    Status step(const std::string& name) {
        steps += name + " ";
        if (refuse_once.erase(name))
            return Error("not now", EAGAIN);
        return Ok{};
    }

  public:
    libra_policy installed_{};

  private:
    // Policies as their rules: l for a listener, u for an upstream, in capitals
    // with requests anchored.
    std::string steps;
};

// A file holds the parser that it is called by; its version is how often it was read.
class FakeParsers final : public ParserBackend {
  public:
    std::vector<KnownParser> list() const override { return loaded; }
    Result<KnownParser> load(const std::string& path) override {
        loaded.push_back(read(path));
        return loaded.back();
    }
    Result<KnownParser> replace(const std::string& name, const std::string& path) override {
        if (refuse)
            return Error("connections", EBUSY);
        for (KnownParser& parser : loaded) {
            if (parser.info.name == name)
                return parser = read(path);
        }
        return Error("none", ENOENT);
    }
    Status unload(const std::string& name) override {
        std::erase_if(loaded, [&](const KnownParser& p) { return p.info.name == name; });
        return Ok{};
    }
    bool stay() const override { return false; }

    bool refuse = false;
    std::vector<KnownParser> loaded{{{"http1", "1", LIBRA_PARSER_ABI, 1}, "built in", "", 0}};

  private:
    KnownParser read(const std::string& path) {
        return {{path.substr(path.rfind('/') + 1), fmt::format("{}", ++reads_), 1, 1}, path, "", 0};
    }
    int reads_ = 0;
};

class ServiceTest : public testing::Test {
  protected:
    Json ask(const std::string& line) { return Json::parse(service_.handle(line, trusted_)); }

    static constexpr const char* kAttachRequests =
        R"({"op":"attach","parser":"http1","domain":1,"mode":"token","anchor_requests":true,)"
        R"("listen":["*:80"],"upstream":["10.0.0.1:80"]})";
    static constexpr const char* kAttach =
        R"({"op":"attach","parser":"http1","domain":1,"mode":"token",)"
        R"("listen":["*:80"],"upstream":["10.0.0.1:80"]})";

    FakeBackend backend_;
    FakeParsers parsers_;
    bool trusted_ = true;
    Service service_{backend_, parsers_, {.netns = Netns::own_with_cookie(42)}};
};

// With cgroups that come and go.
class CgroupTest : public ServiceTest {
  protected:
    static constexpr const char* kWaits =
        R"({"op":"apply","policies":[)"
        R"({"name":"a","parser":"http1","domain":1,"mode":"token","listen":["*:80"],)"
        R"("upstream":["10.0.0.1:80"],"cgroup":"/a"}]})";

    Json ask(const std::string& line) { return Json::parse(service_.handle(line)); }
    Json policy() { return ask(R"({"op":"status"})")["policies"][0]; }
    std::uint64_t in_force() const { return backend_.installed_.rules[0].cgroup_id; }

    std::map<std::string, std::uint64_t> cgroups_;
    Service service_{backend_,
                     parsers_,
                     {.netns = Netns::own_with_cookie(42),
                      .cgroup_id = [this](const std::string& path) -> Result<std::uint64_t> {
                          const auto found = cgroups_.find(path);
                          if (found == cgroups_.end())
                              return Error("there is none", path == "/x" ? EINVAL : ENOENT);
                          return found->second;
                      }}};
};

TEST_F(ServiceTest, AttachesAndReports) {
    EXPECT_EQ(ask(kAttach), (Json{{"ok", true}, {"policy", 1}}));
    EXPECT_EQ(backend_.installed_.count, 2U);
    EXPECT_EQ(backend_.installed_.rules[0].netns_cookie, 42U);

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
    EXPECT_EQ(backend_.installed_.count, 0U);
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
    EXPECT_EQ(backend_.installed_.count, 0U);
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

TEST_F(CgroupTest, APolicyOfTheConfigurationWaitsForItsCgroup) {
    EXPECT_EQ(ask(kWaits)["added"], Json{"a"});
    EXPECT_EQ(policy()["waiting"], true);
    EXPECT_EQ(in_force(), kNoCgroup);  // not 0, which is any
    backend_.taken();
    service_.tend();
    EXPECT_EQ(ask(kWaits)["unchanged"], Json{"a"});
    EXPECT_EQ(backend_.taken(), "");

    // Those that came before it was seen are adopted.
    cgroups_["/a"] = 5;
    service_.tend();
    EXPECT_EQ(backend_.taken(), "l stop-1 l adopt-clients lu ");
    EXPECT_EQ(policy()["waiting"], false);
    EXPECT_EQ(in_force(), 5U);
    service_.tend();
    EXPECT_EQ(ask(kWaits)["unchanged"], Json{"a"});
    EXPECT_EQ(backend_.taken(), "");
}

TEST_F(CgroupTest, APolicyFollowsItsCgroup) {
    cgroups_["/a"] = 5;
    ask(kWaits);
    backend_.taken();
    cgroups_["/a"] = 6;  // the service was started anew
    backend_.refuse_once = {"adopt-clients"};
    service_.tend();
    EXPECT_EQ(in_force(), 5U);
    backend_.taken();
    service_.tend();
    EXPECT_EQ(backend_.taken(), "l stop-1 l adopt-clients lu ");
    EXPECT_EQ(in_force(), 6U);
    EXPECT_EQ(policy()["id"], 1);  // and counts on

    cgroups_.clear();
    service_.tend();
    EXPECT_EQ(in_force(), kNoCgroup);
    EXPECT_EQ(policy()["waiting"], true);
    EXPECT_EQ(ask(kWaits)["unchanged"], Json{"a"});
}

TEST_F(CgroupTest, WhatCanNeverBeOneIsRefusedAndWhatAClientNamesHasToBeThere) {
    std::string wrong = kWaits;
    wrong.replace(wrong.find("/a"), 2, "/x");
    EXPECT_EQ(ask(wrong)["error"], "policy 'a': there is none");
    std::string attach = kAttach;
    attach.insert(attach.size() - 1, R"(,"cgroup":"/a")");
    EXPECT_EQ(ask(attach)["error"], "there is none");
    EXPECT_TRUE(ask(R"({"op":"status"})")["policies"].empty());
}

constexpr const char* kTwo =
    R"({"op":"apply","policies":[)"
    R"({"name":"a","parser":"http1","domain":1,"mode":"token","listen":["*:80"],)"
    R"("upstream":["10.0.0.1:80"]},)"
    R"({"name":"b","parser":"http1","domain":2,"mode":"token","listen":["*:81"],)"
    R"("upstream":["10.0.0.2:80"]}]})";
constexpr const char* kOneChanged =
    R"({"op":"apply","policies":[)"
    R"({"name":"b","parser":"http1","domain":2,"mode":"token","listen":["*:82"],)"
    R"("upstream":["10.0.0.2:80"]}]})";

TEST_F(ServiceTest, AConfigurationReplacesItsOwnAndNothingElse) {
    ask(kAttach);  // a client's, domain 1
    EXPECT_EQ(ask(kTwo)["added"], (Json{"a", "b"}));
    EXPECT_EQ(ask(kTwo)["unchanged"], (Json{"a", "b"}));
    backend_.taken();
    ask(kTwo);
    EXPECT_EQ(backend_.taken(), "");  // nothing is touched

    Json wanted = Json::parse(kOneChanged);
    wanted["dry"] = true;
    Json answer = ask(wanted.dump());
    EXPECT_EQ(answer["removed"], Json{"a"});
    EXPECT_EQ(answer["changed"], Json{"b"});
    EXPECT_EQ(backend_.taken(), "");

    // What goes keeps nothing more before what comes keeps anything.
    EXPECT_EQ(ask(kOneChanged)["changed"], Json{"b"});
    EXPECT_EQ(backend_.taken(), "lull stop-2 stop-3 lul adopt-clients lulu ");
    const Json status = ask(R"({"op":"status"})");
    ASSERT_EQ(status["policies"].size(), 2U);
    EXPECT_EQ(status["policies"][0]["from"], "client");
    EXPECT_EQ(status["policies"][1]["name"], "b");
}

TEST_F(ServiceTest, AConfigurationThatTheKernelRefusesChangesNothing) {
    ask(kTwo);
    backend_.taken();
    backend_.refuse_once = {"adopt-clients"};
    EXPECT_EQ(ask(kOneChanged)["error"], "not now");
    EXPECT_EQ(backend_.taken(), "ll stop-1 stop-2 l adopt-clients l stop-3 ll adopt-clients lulu ");
    EXPECT_EQ(ask(kTwo)["unchanged"], (Json{"a", "b"}));
}

TEST_F(ServiceTest, ABreakerTripsAndStaysUntilTold) {
    ask(kAttach);
    service_.tend();
    backend_.taken();
    backend_.aborted[1] = 2;
    service_.tend();
    EXPECT_EQ(backend_.taken(), "");
    backend_.aborted[1] = 3;
    service_.tend();
    EXPECT_EQ(backend_.taken(), "l stop-1 ");
    EXPECT_EQ(ask(R"({"op":"status"})")["policies"][0]["tripped"], true);
    service_.tend();
    ask(kTwo);  // others come and go
    EXPECT_EQ(backend_.installed_.rules[0].attach.policy, 1U);
    EXPECT_EQ(backend_.installed_.rules[1].attach.policy, 2U);  // without its upstream

    EXPECT_EQ(ask(R"({"op":"resume","policy":7})")["error"], "there is no policy 7");
    backend_.taken();
    EXPECT_EQ(ask(R"({"op":"resume","policy":1})")["resumed"], 1);
    EXPECT_EQ(backend_.taken(),
              "adopt-clients lulu"
              "lu ");
    EXPECT_EQ(ask(R"({"op":"resume","policy":1})")["ok"], false);
    service_.tend();  // what came before does not count again
    EXPECT_EQ(ask(R"({"op":"status"})")["policies"][0]["tripped"], false);
}

TEST_F(CgroupTest, AReloadLeavesATrippedBreakerTripped) {
    cgroups_["/a"] = 5;
    ask(kWaits);
    service_.tend();
    backend_.aborted[1] = 3;
    service_.tend();
    ASSERT_EQ(policy()["tripped"], true);
    cgroups_["/a"] = 6;
    EXPECT_EQ(ask(kWaits)["changed"], Json{"a"});
    EXPECT_EQ(policy()["tripped"], true);
    EXPECT_EQ(in_force(), 6U);
    EXPECT_EQ(backend_.installed_.count, 1U);  // without its upstream
}

TEST_F(ServiceTest, ResumeIsTakenBackWhenItFailsHalfway) {
    ask(kAttachRequests);
    service_.tend();
    backend_.aborted[1] = 3;
    service_.tend();
    backend_.taken();
    backend_.refuse_once = {"adopt-upstreams"};
    EXPECT_EQ(ask(R"({"op":"resume","policy":1})")["error"], "not now");
    EXPECT_EQ(backend_.taken(), "adopt-clients lu adopt-upstreams lu stop-1 l stop-1 ");
    EXPECT_EQ(ask(R"({"op":"status"})")["policies"][0]["tripped"], true);
}

std::string apply_in_order(const std::vector<std::string>& policies) {
    return fmt::format(R"({{"op":"apply","policies":[{}]}})", fmt::join(policies, ","));
}

TEST_F(ServiceTest, AConfigurationIsTriedInItsOrderAfterEachChange) {
    const std::string off =
        R"({"name":"off","parser":"http1","domain":1,"mode":"off","upstream":["10.0.0.1:80"]})";
    const std::string more =
        R"({"name":"more","parser":"http1","domain":1,"mode":"off","upstream":["10.0.0.2:80"]})";
    std::string edited = off;
    edited.replace(edited.find("0.1:80"), 6, "0.3:80");
    const std::string all =
        R"({"name":"all","parser":"http1","domain":1,"mode":"token","listen":["*:80"],)"
        R"("upstream":["*:80"]})";
    const auto order = [this] {
        std::string names;
        const Json status = ask(R"({"op":"status"})");
        for (const Json& policy : status["policies"])
            names += policy["name"].get<std::string>() + policy["id"].dump() + " ";
        return names;
    };
    ask(kAttach);
    ask(apply_in_order({off, all}));
    ask(R"({"op":"attach","parser":"http1","domain":1,"mode":"off","listen":["*:90"]})");
    EXPECT_EQ(order(), "1 off2 all3 4 ");
    backend_.taken();
    EXPECT_EQ(ask(apply_in_order({edited, all}))["unchanged"], Json{"all"});
    EXPECT_EQ(order(), "1 off5 all3 4 ");
    // An exception is there as a whole, or not at all.
    EXPECT_EQ(backend_.taken(), "luulul stop-2 luulul adopt-clients luulul ");
    EXPECT_EQ(ask(apply_in_order({edited, more, all}))["added"], Json{"more"});
    EXPECT_EQ(order(), "1 off5 more6 all3 4 ");

    backend_.taken();
    const Json answer = ask(apply_in_order({all, edited, more}));
    EXPECT_EQ(answer["reordered"], (Json{"all", "off", "more"}));
    EXPECT_EQ(answer["changed"], answer["reordered"]);
    EXPECT_EQ(answer["unchanged"], Json::array());
    EXPECT_EQ(order(), "1 all3 off5 more6 4 ");
    // Where the order changes, nothing is kept.
    EXPECT_EQ(backend_.taken(), "luuull stop-3 stop-5 stop-6 luluul adopt-clients luluuul ");
    EXPECT_FALSE(ask(apply_in_order({all, edited, more})).contains("reordered"));
    EXPECT_EQ(backend_.taken(), "");
}

class ReloadTest : public ServiceTest {
  protected:
    Json reload() { return Json::parse(service_.handle(R"({"op":"reload"})")); }

    Config config_;
    std::string served_ = "old";
    bool taken_ = false;
    Service service_{
        backend_,
        parsers_,
        {.netns = Netns::own_with_cookie(42),
         .configuration = [this] { return Result<Config>(config_); },
         .metrics = [this](const std::string& address) -> Result<std::function<void()>> {
             if (taken_)
                 return Error("the port is taken");
             return std::function([this, address] { served_ = address; });
         }}};
};

TEST_F(ReloadTest, MetricsAndPoliciesChangeTogetherOrNotAtAll) {
    config_ = parse_config(R"([daemon]
metrics = "127.0.0.1:9742"
[[policy]]
name = "a"
parser = "http1"
domain = 1
mode = "token"
listen = ["*:80"]
)",
                           "f")
                  .value();
    backend_.refuse_once = {"adopt-clients"};
    EXPECT_EQ(reload()["error"], "not now");
    EXPECT_EQ(served_, "old");
    taken_ = true;
    EXPECT_EQ(reload()["error"], "the port is taken");
    EXPECT_EQ(backend_.installed_.count, 0U);
    taken_ = false;
    EXPECT_EQ(reload()["added"], Json{"a"});
    EXPECT_EQ(served_, "127.0.0.1:9742");
    config_ = Config();
    EXPECT_EQ(reload()["removed"], Json{"a"});
    EXPECT_EQ(served_, "");
}

TEST_F(ServiceTest, WhoIsNotRootOnlyLooks) {
    const auto refused = [this](const char* line) {
        return Json::parse(service_.handle(line, false))["error"] ==
               "only root may change what is attached";
    };
    EXPECT_TRUE(refused(kAttach));
    EXPECT_TRUE(refused(kTwo));
    EXPECT_TRUE(refused(R"({"op":"detach","all":true})"));
    EXPECT_TRUE(refused(R"({"op":"reload"})"));
    EXPECT_TRUE(refused(R"({"op":"resume","policy":1})"));
    EXPECT_FALSE(refused(R"({"op":"status"})"));
    EXPECT_FALSE(refused(R"({"op":"apply","policies":[],"dry":true})"));
    trusted_ = false;
    EXPECT_EQ(ask(R"({"op":"apply","dry":true,"policies":[{"name":"a","parser":"http1","domain":1,)"
                  R"("mode":"off","listen":["*:1"],"netns":"/root/secret"}]})")["error"],
              "only root may have a network namespace's file looked for");
}

TEST_F(ServiceTest, GarbageIsAnswered) {
    for (const char* line : {"", "null", "{", "\xff", R"({"op":null})"})
        EXPECT_EQ(ask(line)["ok"], false);
}

TEST_F(ServiceTest, ParsersComeAndGo) {
    const Json loaded = ask(R"({"op":"parser-load","file":"/p/redis"})");
    EXPECT_EQ(loaded["parser"]["name"], "redis");
    EXPECT_EQ(ask(R"({"op":"status"})")["parsers"], (Json{"http1", "redis"}));
    const Json replaced = ask(R"({"op":"parser-replace","name":"redis","file":"/q/redis"})");
    EXPECT_EQ(replaced["parser"]["version"], "2");
    EXPECT_EQ(replaced["parser"]["origin"], "/q/redis");
    EXPECT_EQ(ask(R"({"op":"parser-unload","name":"redis"})"), (Json{{"ok", true}}));
    EXPECT_EQ(ask(R"({"op":"parser-list"})")["parsers"].size(), 1U);
}

TEST_F(ServiceTest, AParserThatPoliciesUseStays) {
    ask(kAttach);
    ask(kAttach);
    EXPECT_EQ(ask(R"({"op":"parser-unload","name":"http1"})")["error"],
              "policies use parser http1: detach them first ([1,2])");
    EXPECT_EQ(ask(R"({"op":"parser-list"})")["parsers"][0]["policies"], (Json{1, 2}));
    ask(R"({"op":"detach","all":true})");
    EXPECT_EQ(ask(R"({"op":"parser-unload","name":"http1"})")["ok"], true);
    EXPECT_EQ(ask(kAttach)["error"], "unknown parser 'http1'; loaded: ");
}

TEST_F(ServiceTest, OnlyRootChangesParsers) {
    trusted_ = false;
    for (const char* line : {R"({"op":"parser-load","file":"/p/redis"})",
                             R"({"op":"parser-replace","name":"http1","file":"/p/http1"})",
                             R"({"op":"parser-unload","name":"http1"})"})
        EXPECT_EQ(ask(line)["error"], "only root may change what is attached");
    EXPECT_EQ(parsers_.loaded.size(), 1U);
    EXPECT_EQ(parsers_.loaded[0].origin, "built in");
    EXPECT_EQ(ask(R"({"op":"parser-list"})")["ok"], true);
}

}  // namespace
}  // namespace libra
