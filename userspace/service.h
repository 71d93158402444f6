// SPDX-License-Identifier: GPL-2.0-only
// What librad does for its clients.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "breaker.h"
#include "cgroup.h"
#include "config.h"
#include "netns.h"
#include "parser_set.h"
#include "policy_program.h"
#include "policy_set.h"
#include "protocol.h"
#include "state_file.h"

namespace libra {

class Service {
  public:
    struct Settings {
        Netns netns;
        // Where policies are kept for the next librad; none: they go with this one.
        std::optional<StateFile> state = std::nullopt;
        // The configuration file, read anew; none: there is no such file.
        std::function<Result<Config>()> configuration = nullptr;
        // Has metrics served there once what is returned is called; none: nobody serves any.
        std::function<Result<std::function<void()>>(const std::string& address)> metrics = nullptr;
        std::function<Result<std::uint64_t>(const std::string& path)> cgroup_id = libra::cgroup_id;
    };

    Service(PolicyBackend& backend, ParserBackend& parsers, Settings settings)
        : backend_(backend), parsers_(parsers), settings_(std::move(settings)) {}

    // Answers one request line. Does not throw.
    // @trusted: may change things.
    std::string handle(std::string_view line, bool trusted = true) noexcept;

    // To be called now and then. Adopts connections that could not be attached, without
    // which the kernel keeps nothing, and looks after cgroups and breakers. Does not throw.
    void tend() noexcept;

    // Takes over what the last librad left in the kernel: the policies of the state file,
    // and nothing else.
    Status resume();

    // The policies of the configuration in place of those that it brought before, and its
    // metrics: both, or neither.
    Result<Json> reload();

    // Detaches all policies. Connections stay attached, but anchor nothing more.
    Status shutdown();

    bool has_policies() const { return !set_.policies().empty(); }
    bool has_configuration() const { return settings_.configuration != nullptr; }

  private:
    using Ids = PolicySet::Ids;

    Result<Json> run(const Request& request);
    Result<NewPolicy> resolve(const AttachRequest& request, Origin origin);
    Result<Netns> netns_of(const std::string& path) const;

    // From what is in force to @next, in which @added are new and @removed are not any more.
    Status change(PolicySet next, const Ids& added, const Ids& removed);
    Status wind_up(const PolicySet& set, const Ids& ids);
    Status wind_down(const PolicySet& set, const Ids& ids);
    Status stop(const PolicySet& set, const Ids& ids);
    Status save(const PolicySet& set) const;
    Status clear_counters(const PolicySet& set, const Ids& ids);

    // Lets go of those that no policy is about any more.
    void forget_netnses();
    Status in_netns(std::uint64_t cookie, const std::function<Status()>& what) const;
    // In each namespace that these policies are about.
    Status each_netns(const PolicySet& set, const std::function<Status()>& what) const;
    Status adopt(const PolicySet& set, std::uint32_t role) const;
    Status adopt_all();
    Status adopt_here(std::uint64_t waiting);
    Status follow_cgroups();
    void watch_breakers();
    Status trip(const Policy& policy, const std::string& why);

    Result<Json> attach(const AttachRequest& request);
    std::vector<std::string> listeners_left_out(const Policy& policy) const;
    Result<Json> detach(const DetachRequest& request);
    Result<Json> apply(const std::vector<AttachRequest>& policies, bool dry);
    Result<Json> take_up(const ResumeRequest& request);
    Result<Json> status();
    Result<Json> stats();

    // in service_parsers.cpp
    Result<Json> load_parser(const ParserLoadRequest& request);
    Result<Json> replace_parser(const ParserReplaceRequest& request);
    Result<Json> unload_parser(const ParserUnloadRequest& request);
    Json list_parsers() const;
    Status check_parser(const std::string& name) const;
    void say_what_has_no_parser(const PolicySet& set) const;
    Json users_of(const std::string& parser) const;

    PolicyBackend& backend_;
    ParserBackend& parsers_;
    Settings settings_;
    PolicySet set_;
    std::map<std::uint64_t, Netns> netnses_;  // by cookie, of policies; not the own one
    std::map<std::uint32_t, BreakerWatch> watches_;
    std::string complaint_;  // of tend(), for as long as there is reason to
    std::string cgroup_complaint_;
};

}  // namespace libra
