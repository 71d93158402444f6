// SPDX-License-Identifier: GPL-2.0-only
// What the word behind attach names, of all that may want payload memory.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "host.h"
#include "systemctl.h"

namespace libra::service {

enum class Kind { service, process, container, cgroup };

struct Target {
    Kind kind = Kind::service;
    std::string name;     // of the service, container or cgroup
    std::string runtime;  // of the container: docker or podman
    pid_t pid = 0;        // of the process
};

// A service's name, a PID, a cgroup's path, docker:NAME or podman:NAME; a plain name is a
// service's, if there is one, and else a container's. A cgroup that belongs to a service is
// that service.
Result<Target> resolve(const Host& host, const Systemctl& systemd, std::string_view text);

// Whose a cgroup is, by its path: a service's, a container's, a user's own service's.
struct Owner {
    enum class Kind { nobody, service, container, user_service } kind = Kind::nobody;
    std::string name;  // of a container: its id
};
Owner owner_of(std::string_view cgroup);

}  // namespace libra::service
