// SPDX-License-Identifier: GPL-2.0-only
#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "unique_fd.h"

namespace libra::doctor {
namespace {

constexpr std::size_t kMost = 16U << 20;

Result<std::string> read_all(int fd, const std::string& path) {
    std::string text;
    std::array<char, 65536> piece{};
    for (;;) {
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0)
            return Error::from_errno(path);
        if (got == 0)
            return text;
        text.append(piece.data(), static_cast<std::size_t>(got));
        if (text.size() > kMost)
            return Error(fmt::format("{}: larger than {} MB", path, kMost >> 20), EFBIG);
    }
}

struct Found {
    glob_t names{};
    Found() = default;
    Found(const Found&) = delete;
    Found& operator=(const Found&) = delete;
    ~Found() { globfree(&names); }
};

}  // namespace

Result<std::string> read_regular_file(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return Error::from_errno(path);
    struct stat info {};
    if (fstat(fd.get(), &info))
        return Error::from_errno(path);
    if (!S_ISREG(info.st_mode))
        return Error(fmt::format("{}: not a regular file", path), EINVAL);
    return read_all(fd.get(), path);
}

std::string read_text(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return "";
    auto text = read_all(fd.get(), path);
    return text ? std::move(text).value() : "";
}

bool has_wildcard(std::string_view pattern) {
    return pattern.find_first_of("*?[") != std::string_view::npos;
}

Result<std::string> DiskFiles::read(const std::string& path) const {
    return read_regular_file(path);
}

std::vector<std::string> DiskFiles::matching(const std::string& pattern) const {
    Found found;
    if (glob(pattern.c_str(), 0, nullptr, &found.names) != 0)
        return {};
    return {found.names.gl_pathv, found.names.gl_pathv + found.names.gl_pathc};
}

Result<std::string> MemoryFiles::read(const std::string& path) const {
    const auto it = files_.find(path);
    if (it == files_.end())
        return Error::from_errno(path, ENOENT);
    return it->second;
}

std::vector<std::string> MemoryFiles::matching(const std::string& pattern) const {
    std::vector<std::string> names;
    for (const auto& [name, text] : files_) {
        if (fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0)
            names.push_back(name);
    }
    return names;
}

}  // namespace libra::doctor
