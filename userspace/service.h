// SPDX-License-Identifier: GPL-2.0-only
// What librad does for its clients.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy_program.h"
#include "policy_set.h"
#include "protocol.h"

namespace libra {

class Service {
  public:
    Service(PolicyBackend& backend, std::vector<std::string> parsers, std::uint64_t netns_cookie)
        : backend_(backend), parsers_(std::move(parsers)), netns_cookie_(netns_cookie) {}

    // Answers one request line. Does not throw.
    std::string handle(std::string_view line) noexcept;

    // To be called now and then: adopts connections that could not be attached, without
    // which the kernel keeps nothing. Does not throw.
    void tend() noexcept;

    // Detaches all policies. Connections stay attached, but anchor nothing more.
    Status shutdown();

  private:
    Result<Json> run(const Request& request);
    using Ids = std::vector<std::uint32_t>;

    Status wind_up(const PolicySet& set, const Ids& ids);
    Status wind_down(const PolicySet& set, const Ids& ids);
    Status adopt_all();
    Status stop(const Ids& ids);
    Status remove(const PolicySet& rest, const Ids& ids);

    Result<Json> attach(const AttachRequest& request);
    std::vector<std::string> listeners_left_out(const Policy& policy) const;
    Result<Json> detach(const DetachRequest& request);
    Result<Json> status();
    Result<Json> stats();

    PolicyBackend& backend_;
    std::vector<std::string> parsers_;
    std::uint64_t netns_cookie_;
    PolicySet set_;
    std::string complaint_;  // of tend(), for as long as there is reason to
};

}  // namespace libra
