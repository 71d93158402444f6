// SPDX-License-Identifier: GPL-2.0-only
#include "kept_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "unique_fd.h"

namespace libra {
namespace {

constexpr std::size_t kMaxState = 4U << 20;

Status write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t size = write(fd, text.data(), text.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return Error::from_errno("cannot write");
        text.remove_prefix(static_cast<std::size_t>(size));
    }
    return Ok{};
}

Result<std::string> read_all(int fd) {
    std::string text;
    std::array<char, 64 * 1024> buffer;
    for (;;) {
        const ssize_t size = read(fd, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return Error::from_errno("cannot read");
        if (size == 0)
            return text;
        text.append(buffer.data(), static_cast<std::size_t>(size));
        if (text.size() > kMaxState)
            return Error("it is too large", EFBIG);
    }
}

}  // namespace

Status write_kept(const std::string& path, std::string_view text) {
    const std::string next = path + ".new";
    const auto failed = [&](const Error& error) {
        unlink(next.c_str());
        return error;
    };
    // Nobody else's file, not even by a link.
    unlink(next.c_str());
    const UniqueFd fd(
        open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd)
        return failed(Error::from_errno("cannot create it"));
    if (auto status = write_all(fd.get(), text); !status)
        return failed(status.error());
    if (fsync(fd.get()))
        return failed(Error::from_errno("cannot write"));
    if (rename(next.c_str(), path.c_str()))
        return failed(Error::from_errno("cannot rename"));
    return Ok{};
}

Result<std::string> read_kept(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd)
        return Error::from_errno(path);
    auto text = read_all(fd.get());
    if (!text)
        return std::move(text).error().context(path);
    return text;
}

}  // namespace libra
