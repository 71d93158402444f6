// SPDX-License-Identifier: GPL-2.0-only
// Containers of docker and podman: what to write where they are started.
#pragma once

#include <sys/types.h>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "host.h"
#include "preload.h"

namespace libra::service {

inline constexpr std::array<std::string_view, 2> kRuntimes{"docker", "podman"};

struct Container {
    std::string runtime;
    std::string name;
    std::string image;
    std::string user;        // empty: root
    std::string preload;     // its LD_PRELOAD
    bool min_block = false;  // it has a LIBRA_MALLOC_MIN of its own
    pid_t pid = 0;           // 0: it does not run
};

// May it be a word of the runtime's command line?
Status check_container_name(std::string_view name);

Result<Container> inspect_container(std::string_view runtime, std::string_view name);
Result<Container> parse_container(std::string_view runtime, std::string_view inspected);

// The options of "docker run", one a line.
std::vector<std::string> run_options(const Container& container,
                                     const std::filesystem::path& library,
                                     const std::filesystem::path& device, const Access& access);

// Has its image another C library than the library is for? Only of one that runs.
bool is_musl(const Host& host, const Container& container);

}  // namespace libra::service
