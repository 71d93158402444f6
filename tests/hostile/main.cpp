// SPDX-License-Identifier: GPL-2.0-only
// libra-hostile: forwards like the worst real proxies, and knows for each byte at
// the other end whether the standard stack would have sent it.
//
// It is the origin, the proxy and the clients, on the loopback of the network
// namespace that it runs in; policies of librad name its ports.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "behaviour.h"
#include "common/counters.h"
#include "common/error.h"
#include "counted.h"
#include "exchange.h"
#include "forge.h"
#include "unseen.h"

namespace {

using namespace libra::test;

struct Options {
    Ports ports{8101, 8001, 8201};
    std::string parser = "raw";
    std::string behaviours = "plain";
    bool some = false;
    std::uint64_t seed = 1;
    unsigned runs = 1;
    std::size_t largest = 400'000;
    bool verbose = false;
    bool plain = false;
    bool unseen = false;
    std::uint64_t forge = 0;
    double seconds = 60;
};

void declare(CLI::App& app, Options& options) {
    std::string names;
    for (const auto& name : Behaviours::all_names())
        names += (names.empty() ? "" : ", ") + name;
    app.add_option("--listen", options.ports.listen, "the proxy's port, attached")
        ->capture_default_str();
    app.add_option("--origin", options.ports.origin, "the origin's port, attached")
        ->capture_default_str();
    app.add_option("--unattached", options.ports.unattached, "a port that no policy names")
        ->capture_default_str();
    app.add_flag("--ktls", options.ports.ktls,
                 "kernel TLS encrypts what clients are sent, and decrypts what origins send");
    app.add_option("--parser", options.parser, "what the policy says")
        ->check(CLI::IsMember({"raw", "http1"}))
        ->capture_default_str();
    auto* chosen = app.add_option("--behaviour", options.behaviours,
                                  "plain, or a comma-separated list of: " + names);
    app.add_flag("--some", options.some, "behaviours that the seed chooses")->excludes(chosen);
    app.add_option("--seed", options.seed, "of the first run")->capture_default_str();
    app.add_option("--runs", options.runs, "how many seeds")->capture_default_str();
    app.add_option("--largest", options.largest, "payload bytes of a message")
        ->check(CLI::Range(1, 4 << 20))
        ->capture_default_str();
    app.add_flag("-v,--verbose", options.verbose, "a line for each run");
    app.add_flag("--plain", options.plain, "nothing is attached: checks this program itself");
    app.add_option("--forge", options.forge, "only so many forged VPIs (raw)");
    app.add_option("--seconds", options.seconds, "no more of them afterwards")
        ->capture_default_str();
    app.add_flag("--unseen", options.unseen, "only the ways out that Libra does not see");
}

class Hostile {
  public:
    explicit Hostile(const Options& options)
        : options_(options), network_(options.ports), blob_(16 << 20, options.seed) {
        if (!options.plain) {
            magic_ = learn_magic(network_, options.parser == "http1");
            if (magic_.empty())
                throw libra::test::Error("nothing is anchored: attach ports " +
                                         std::to_string(options.ports.listen) + " and " +
                                         std::to_string(options.ports.origin));
        } else {
            magic_ = "\x81magic\x82\x83";  // as good as any
        }
        blob_.sow(magic_, options.seed);
    }

    int run() {
        if (options_.unseen)
            return run_unseen();
        if (options_.forge > 0)
            return run_forge();
        nlohmann::ordered_json sum = {{"runs", 0},      {"payload", 0},        {"exact", 0},
                                      {"aborted", 0},   {"late", 0},           {"vanished", 0},
                                      {"edited", 0},    {"wrong", 0},          {"noticed", 0},
                                      {"stale", 0},     {"stale_bytes", 0},    {"tokens", 0},
                                      {"uncounted", 0}, {"broken_promises", 0}};
        const auto before = counters();
        for (unsigned i = 0; i < options_.runs; ++i)
            run_one(options_.seed + i, sum);
        sum["counted"] = counted(before, counters());
        std::cout << sum.dump() << std::endl;
        return sum["broken_promises"] == 0 ? 0 : 1;
    }

  private:
    int run_unseen() {
        auto list = nlohmann::ordered_json::array();
        for (const auto& unseen : forward_unseen(network_, blob_, magic_, 256 * 1024))
            list.push_back({{"way", unseen.way},
                            {"bytes", unseen.bytes},
                            {"native", unseen.native},
                            {"tokens", unseen.tokens},
                            {"stale", unseen.stale}});
        std::cout << list.dump() << std::endl;
        return 0;
    }

    int run_forge() {
        const auto before = counters();
        const Forged forged =
            forge(network_, magic_, options_.seed, options_.forge, options_.seconds);
        if (forged.accepted > 0)
            std::cout << "FAILED: --forge " << options_.forge << " --seed " << options_.seed << ": "
                      << forged.complaint << std::endl;
        const nlohmann::ordered_json sum = {{"refused", forged.refused},
                                            {"plain", forged.plain},
                                            {"accepted", forged.accepted},
                                            {"seconds", forged.seconds},
                                            {"counted", counted(before, counters())}};
        std::cout << sum.dump() << std::endl;
        return forged.accepted == 0 ? 0 : 1;
    }

    void run_one(std::uint64_t seed, nlohmann::ordered_json& sum) {
        Random random(~seed);
        Plan plan;
        plan.http1 = options_.parser == "http1";
        plan.behaviours =
            options_.some ? Behaviours::some(random) : Behaviours::parse(options_.behaviours);
        plan.framed = plan.http1 && (plan.behaviours.has(Behaviour::kChunk) || random.one_in(2));
        plan.upload = !plan.http1 && random.one_in(2) && !options_.ports.ktls;
        plan.largest = options_.largest;

        const auto before = counters();
        Outcome outcome;
        try {
            outcome = Exchange(network_, blob_, magic_, plan, seed).run();
        } catch (const libra::test::Error& error) {
            outcome.wrong = 1;
            outcome.complaint = error.what();
        }
        const auto moved = counted(before, counters());
        const auto stops = moved.value("fail_stops", std::uint64_t{0});
        const Promise promise = plan.behaviours.promise(plan.http1, plan.framed);
        const bool uncounted =
            !options_.plain && outcome.aborted > stops && !plan.behaviours.has(Behaviour::kVanish);
        std::string complaint = outcome.complaint;
        if (complaint.empty() && uncounted)
            complaint = "a connection was aborted, and no fail-stop was counted";
        if (promise == Promise::kNoStale && outcome.wrong == 0)
            complaint.clear();
        if (complaint.empty() && promise == Promise::kExact &&
            (outcome.aborted > outcome.late || stops > outcome.late))
            complaint = "a fail-stop";

        sum["runs"] = sum["runs"].get<unsigned>() + 1;
        const auto add = [&sum](const char* name, std::uint64_t value) {
            sum[name] = sum[name].get<std::uint64_t>() + value;
        };
        add("payload", outcome.payload);
        add("exact", outcome.exact);
        add("aborted", outcome.aborted);
        add("late", outcome.late);
        add("vanished", outcome.vanished);
        add("edited", outcome.edited);
        add("wrong", outcome.wrong);
        add("noticed", outcome.noticed);
        add("stale", outcome.stale);
        add("stale_bytes", outcome.stale_bytes);
        add("tokens", outcome.tokens);
        add("uncounted", uncounted);
        add("broken_promises", !complaint.empty());
        if (!complaint.empty() || options_.verbose)
            std::cout << (complaint.empty() ? "ok" : "FAILED") << ": --parser " << options_.parser
                      << " --behaviour " << plan.behaviours.names() << " --seed " << seed
                      << (plan.http1 ? (plan.framed ? " (chunked)" : " (Content-Length)")
                                     : (plan.upload ? " (upload)" : " (download)"))
                      << ": " << complaint << " " << moved.dump() << std::endl;
    }

    Counters counters() const { return options_.plain ? Counters{} : read_counters(); }

    Options options_;
    Network network_;
    Blob blob_;
    std::string magic_;
};

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options;
        CLI::App app("Forwards like the worst real proxies, and checks every byte.",
                     "libra-hostile");
        declare(app, options);
        CLI11_PARSE(app, argc, argv);
        return Hostile(options).run();
    } catch (const std::exception& error) {
        std::cerr << "libra-hostile: " << error.what() << '\n';
        return 2;
    }
}
