// SPDX-License-Identifier: GPL-2.0-only
#include "durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "unique_fd.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0644;
constexpr mode_t kDirectoryMode = 0755;

Error failed(const fs::path& path) {
    const int code = errno;
    Error error = Error::from_errno(path.string(), code);
    if (code == EROFS)
        return Error(error.message() +
                         ": write it until the next boot with --runtime, or put what --dry-run "
                         "shows where this machine keeps its configuration",
                     code);
    if (code == EACCES || code == EPERM)
        return Error(error.message() + ": run it as root", code);
    return error;
}

Status sync_directory(const fs::path& directory) {
    const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || fsync(fd.get()) != 0)
        return failed(directory);
    return Ok{};
}

Status write_all(int fd, std::string_view text, const fs::path& path) {
    while (!text.empty()) {
        const ssize_t written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return failed(path);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return Ok{};
}

Status replace_file(const fs::path& path, const std::string& text) {
    std::string temporary =
        (path.parent_path() / ("." + path.filename().string())).string() + ".XXXXXX";
    const UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd)
        return failed(path);
    auto status = write_all(fd.get(), text, path);
    if (status && (fchmod(fd.get(), kFileMode) != 0 || fsync(fd.get()) != 0 ||
                   rename(temporary.c_str(), path.c_str()) != 0))
        status = failed(path);
    if (!status) {
        unlink(temporary.c_str());
        return status;
    }
    return sync_directory(path.parent_path());
}

Status unlink_file(const fs::path& path) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT)
        return failed(path);
    return sync_directory(path.parent_path());
}

}  // namespace

Result<std::optional<std::string>> read_plain_file(const fs::path& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT || errno == ENOTDIR)
            return std::optional<std::string>();
        if (errno == ELOOP)
            return Error(fmt::format("{} is a link, which libractl did not make: see where it "
                                     "leads, and remove it",
                                     path.string()),
                         ELOOP);
        return failed(path);
    }
    struct stat status {};
    if (fstat(fd.get(), &status) != 0)
        return failed(path);
    if (!S_ISREG(status.st_mode))
        return Error(fmt::format("{} is no file", path.string()), EINVAL);
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
        if (got == 0)
            return std::optional(std::move(text));
        if (got < 0 && errno != EINTR)
            return failed(path);
        if (got > 0)
            text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<FileChange> FileChange::write(const fs::path& path, const std::string& text) {
    auto before = read_plain_file(path);
    if (!before)
        return std::move(before).error();
    FileChange change(path, std::move(*before));
    const fs::path directory = path.parent_path();
    if (mkdir(directory.c_str(), kDirectoryMode) == 0)
        change.directory_is_new_ = true;
    else if (errno != EEXIST)
        return failed(directory);
    if (change.directory_is_new_) {
        if (auto status = sync_directory(directory.parent_path()); !status)
            return std::move(status).error();
    }
    if (auto status = replace_file(path, text); !status)
        return std::move(status).error();
    return change;
}

Result<FileChange> FileChange::remove(const fs::path& path, bool with_directory) {
    auto before = read_plain_file(path);
    if (!before)
        return std::move(before).error();
    FileChange change(path, std::move(*before));
    if (auto status = unlink_file(path); !status)
        return std::move(status).error();
    // Somebody else's file in it is reason enough to leave it.
    if (with_directory && rmdir(path.parent_path().c_str()) == 0) {
        if (auto status = sync_directory(path.parent_path().parent_path()); !status)
            return std::move(status).error();
    }
    return change;
}

FileChange::FileChange(FileChange&& other) noexcept
    : path_(std::move(other.path_)),
      before_(std::move(other.before_)),
      directory_is_new_(other.directory_is_new_),
      kept_(std::exchange(other.kept_, true)),
      taken_back_(other.taken_back_) {}

FileChange::~FileChange() {
    if (kept_)
        return;
    try {
        if (auto status = take_back(); !status)
            fmt::print(stderr, "libractl: {}\n", status.error().message());
    } catch (const std::exception& error) {
        fmt::print(stderr, "libractl: {}\n", error.what());
    }
}

Status FileChange::take_back() {
    if (std::exchange(taken_back_, true))
        return Ok{};
    if (!before_) {
        // Not to ask for the removal of what could not be made either.
        std::error_code error;
        if (fs::exists(fs::symlink_status(path_, error))) {
            if (auto status = unlink_file(path_); !status)
                return status;
        }
        if (directory_is_new_)
            rmdir(path_.parent_path().c_str());
        return Ok{};
    }
    const fs::path directory = path_.parent_path();
    if (mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
        return failed(directory);
    return replace_file(path_, *before_);
}

}  // namespace libra::service
