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

  private:
    Result<Json> run(const Request& request);
    Result<Json> attach(const AttachRequest& request);
    Result<Json> detach(const DetachRequest& request);
    Result<Json> status();
    Result<Json> stats();

    PolicyBackend& backend_;
    std::vector<std::string> parsers_;
    std::uint64_t netns_cookie_;
    PolicySet set_;
};

}  // namespace libra
