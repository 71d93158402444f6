// SPDX-License-Identifier: GPL-2.0-only
// librad's configuration file, /etc/libra/librad.toml: librad.toml(5) describes it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol.h"

namespace libra {

inline constexpr const char* kDefaultConfig = "/etc/libra/librad.toml";

struct Config {
    std::string metrics;  // ADDR:PORT, empty: none
    std::vector<AttachRequest> policies;
};

// Whether there can be a cgroup of this name.
using CheckCgroup = std::function<Status(const std::string& cgroup)>;

// All of it is right, or this says where it is not, as PATH:LINE. That the policies fit
// together is seen as well, but not whether a cgroup or a namespace is there.
Result<Config> parse_config(std::string_view text, const std::string& path,
                            const CheckCgroup& check_cgroup = nullptr);
// Names of cgroups are of this machine.
Result<Config> read_config(const std::string& path);

}  // namespace libra
