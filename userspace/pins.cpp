// SPDX-License-Identifier: GPL-2.0-only
#include "pins.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

namespace libra {
namespace {

// Of what bpf/policy.h describes. A librad that knows another one does not touch these maps:
// it begins anew from its state file, and then removes them.
constexpr const char* kFormat = "format-1";
constexpr std::string_view kLinks = "links-";

namespace fs = std::filesystem;

Status make_directory(const std::string& path) {
    if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST)
        return Ok{};
    return Error::from_errno(fmt::format("cannot make {}", path));
}

Status check_bpffs(const std::string& path) {
    struct statfs fs {};
    if (statfs(path.c_str(), &fs))
        return Error::from_errno(path);
    if (fs.f_type == BPF_FS_MAGIC)
        return Ok{};
    return Error(fmt::format("{} is not in a BPF file system: mount -t bpf bpf /sys/fs/bpf, or "
                             "name another --pin",
                             path),
                 EINVAL);
}

std::optional<unsigned> generation_of(const fs::path& path) {
    const std::string name = path.filename().string();
    unsigned generation = 0;
    if (!name.starts_with(kLinks))
        return std::nullopt;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kLinks.size(), end, generation);
    if (error != std::errc() || stop != end)
        return std::nullopt;
    return generation;
}

Result<std::vector<fs::path>> list(const fs::path& directory) {
    std::error_code error;
    std::vector<fs::path> paths;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
        paths.push_back(it->path());
    if (error && error != std::errc::no_such_file_or_directory)
        return Error(fmt::format("cannot look into {}: {}", directory.string(), error.message()),
                     error.value());
    return paths;
}

Status remove_tree(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error)
        return Error(fmt::format("cannot remove {}: {}", path.string(), error.message()),
                     error.value());
    return Ok{};
}

}  // namespace

Result<Pins> Pins::open(const std::string& directory) {
    if (auto status = make_directory(directory); !status)
        return std::move(status).error();
    if (auto status = check_bpffs(directory); !status)
        return std::move(status).error();
    Pins pins(directory + "/" + kFormat);
    for (const std::string& path : {pins.directory_, pins.directory_ + "/parsers"}) {
        if (auto status = make_directory(path); !status)
            return std::move(status).error();
    }
    return pins;
}

Result<std::vector<std::string>> Pins::parsers() const {
    const auto paths = list(directory_ + "/parsers");
    if (!paths)
        return paths.error();
    std::vector<std::string> names;
    for (const fs::path& path : *paths)
        names.push_back(path.filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

Status Pins::replace_links(const std::vector<std::pair<std::string, bpf_link*>>& links) const {
    const auto there = list(directory_);
    if (!there)
        return there.error();
    unsigned next = 1;
    for (const fs::path& path : *there) {
        if (const auto generation = generation_of(path))
            next = std::max(next, *generation + 1);
    }
    const std::string own = fmt::format("{}/{}{}", directory_, kLinks, next);
    if (auto status = make_directory(own); !status)
        return status;
    for (const auto& [name, link] : links) {
        if (const int error = bpf_link__pin(link, fmt::format("{}/{}", own, name).c_str()))
            return Error::from_errno(fmt::format("cannot pin {}", name), -error);
    }
    for (const fs::path& path : *there) {
        if (!generation_of(path))
            continue;
        if (auto status = remove_tree(path); !status)
            return status;
    }
    // Those of another format would be attached beside ours for ever.
    const auto formats = list(fs::path(directory_).parent_path());
    if (!formats)
        return formats.error();
    for (const fs::path& path : *formats) {
        if (path.filename() == kFormat || !path.filename().string().starts_with("format-"))
            continue;
        if (auto status = remove_tree(path); !status)
            return status;
    }
    return Ok{};
}

// Parsers first: without its parser nothing more is anchored, so that no connection which
// comes when nothing attaches any more can be sent a token.
Status Pins::remove(const std::string& directory) {
    std::error_code error;
    if (!fs::exists(directory, error))
        return Ok{};
    if (auto status = check_bpffs(directory); !status)
        return status;
    const auto formats = list(directory);
    if (!formats)
        return formats.error();
    for (const fs::path& path : *formats) {
        if (auto status = remove_tree(path / "parsers"); !status)
            return status;
    }
    return remove_tree(directory);
}

}  // namespace libra
