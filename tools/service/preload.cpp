// SPDX-License-Identifier: GPL-2.0-only
#include "preload.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

#include "program_file.h"
#include "unit_name.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._+-").find(c) != std::string_view::npos;
}

// As ld.so separates them.
std::vector<std::string_view> libraries(std::string_view preload) {
    std::vector<std::string_view> found;
    while (!preload.empty()) {
        const auto end = std::min(preload.find_first_of(": "), preload.size());
        if (end > 0)
            found.push_back(preload.substr(0, end));
        preload.remove_prefix(std::min(end + 1, preload.size()));
    }
    return found;
}

bool same_name(std::string_view path, const fs::path& library) {
    return fs::path(path).filename() == library.filename();
}

std::string group_name(gid_t gid) {
    std::array<char, 4096> buffer{};
    struct group entry {};
    struct group* found = nullptr;
    if (getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
        return fmt::format("{}", gid);
    return found->gr_name;
}

}  // namespace

Status check_library(const fs::path& library) {
    const std::string path = library.string();
    if (!library.is_absolute() || !std::all_of(path.begin(), path.end(), plain))
        return Error(fmt::format("'{}' cannot stand in LD_PRELOAD: it has to be a whole path of "
                                 "letters, digits and ._+-",
                                 shown(path)),
                     EINVAL);
    if (auto status = is_library(library); !status) {
        if (status.error().code() == ENOENT)
            return Error(
                fmt::format("{} is not there: install it, or name it with --library", path),
                ENOENT);
        return status;
    }
    struct stat status {};
    if (stat(library.c_str(), &status) != 0)
        return Error::from_errno(path);
    if (!(status.st_mode & S_IROTH))
        return Error(fmt::format("{0} is not readable for everybody, so not for a service's "
                                 "user: chmod 644 {0}",
                                 path),
                     EACCES);
    return Ok{};
}

bool names_library(std::string_view preload, const fs::path& library) {
    const auto all = libraries(preload);
    return std::any_of(all.begin(), all.end(),
                       [&](std::string_view each) { return same_name(each, library); });
}

std::string merge_preload(std::string_view there, const fs::path& library) {
    std::string merged = library.string();
    for (const std::string_view each : libraries(there)) {
        if (!same_name(each, library))
            merged.append(":").append(each);
    }
    return merged;
}

Result<Access> device_access(const fs::path& device) {
    struct stat status {};
    if (stat(device.c_str(), &status) != 0) {
        if (errno == ENOENT)
            return Error(fmt::format("there is no {}: load the module first (modprobe libra)",
                                     device.string()),
                         ENOENT);
        return Error::from_errno(device.string());
    }
    if (!S_ISCHR(status.st_mode))
        return Error(fmt::format("{} is not the device of the module libra", device.string()),
                     ENODEV);
    Access access;
    constexpr mode_t kAll = S_IROTH | S_IWOTH;
    constexpr mode_t kGroup = S_IRGRP | S_IWGRP;
    if ((status.st_mode & kAll) == kAll)
        return access;
    if ((status.st_mode & kGroup) == kGroup && status.st_gid != 0) {
        access.group = group_name(status.st_gid);
        access.group_id = status.st_gid;
    } else {
        access.root_only = true;
    }
    return access;
}

Status lazy_is_on(const fs::path& proc) {
    std::ifstream file(proc / "sys/net/libra/lazy");
    int value = 1;
    if (file >> value && value == 0)
        return Error("net.libra.lazy is 0, so there is no payload memory: sysctl net.libra.lazy=1",
                     EPERM);
    return Ok{};
}

}  // namespace libra::service
