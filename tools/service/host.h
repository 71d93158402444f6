// SPDX-License-Identifier: GPL-2.0-only
// Where a machine keeps what attaching a service is about. Tests have it elsewhere.
#pragma once

#include <filesystem>

namespace libra::service {

struct Host {
    std::filesystem::path root = "/";
    std::filesystem::path units = "/etc/systemd/system";
    std::filesystem::path runtime_units = "/run/systemd/system";  // there is one: systemd runs
    std::filesystem::path proc = "/proc";
    std::filesystem::path cgroups = "/sys/fs/cgroup";
    std::filesystem::path device = "/dev/libra";
};

}  // namespace libra::service
