// SPDX-License-Identifier: GPL-2.0-only
#include "cgroup.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>

namespace libra {

Result<std::uint64_t> cgroup_id(const std::string& path) {
    const Error elsewhere(fmt::format("'{}' is not in a cgroup v2 file system", path), EINVAL);
    // What is not there yet would be in the file system of what there is above it.
    struct statfs fs {};
    std::filesystem::path above = path;
    while (statfs(above.c_str(), &fs)) {
        if (errno != ENOENT)
            return Error::from_errno(fmt::format("cgroup '{}'", path));
        if (above == above.parent_path())
            return elsewhere;
        above = above.parent_path();
    }
    if (fs.f_type != CGROUP2_SUPER_MAGIC)
        return elsewhere;
    struct stat info {};
    if (stat(path.c_str(), &info))
        return Error::from_errno(fmt::format("cgroup '{}'", path));
    if (!S_ISDIR(info.st_mode))
        return Error(fmt::format("'{}' is not a cgroup; name its directory", path), ENOTDIR);
    static_assert(sizeof(info.st_ino) == sizeof(std::uint64_t), "a cgroup's id is its inode");
    return info.st_ino;
}

}  // namespace libra
