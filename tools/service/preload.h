// SPDX-License-Identifier: GPL-2.0-only
// What a process needs for payload memory: the library in LD_PRELOAD, and the device.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "error.h"

namespace libra::service {

inline constexpr const char* kLibrary = "/usr/lib/libra/libra-malloc.so";
inline constexpr const char* kPreload = "LD_PRELOAD";
inline constexpr const char* kMinBlock = "LIBRA_MALLOC_MIN";

// Can it be preloaded, and named in LD_PRELOAD and in a unit file?
Status check_library(const std::filesystem::path& library);

// Is there a library of this name in the value of an LD_PRELOAD?
bool names_library(std::string_view preload, const std::filesystem::path& library);

// The library in front, because it is to serve what is asked for first, and behind it what is
// there already, once. What is there keeps its order.
std::string merge_preload(std::string_view there, const std::filesystem::path& library);

struct Access {
    // Who is neither root nor in this group may not open it. Empty: anybody may.
    std::string group;
    gid_t group_id = 0;
    bool root_only = false;
};

// Is the module there, and who may open its device?
Result<Access> device_access(const std::filesystem::path& device);

// Does payload memory exist for new processes? Of the network namespace of this process.
Status lazy_is_on(const std::filesystem::path& proc);

}  // namespace libra::service
