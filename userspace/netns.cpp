// SPDX-License-Identifier: GPL-2.0-only
#include "netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include <exception>
#include <system_error>
#include <thread>

namespace libra {
namespace {

Result<std::uint64_t> cookie_here() {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return Error::from_errno("cannot open a socket");
    std::uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);
    if (getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
        return Error::from_errno("cannot identify the network namespace");
    return cookie;
}

Status guarded(const std::function<Status()>& what) {
    try {
        return what();
    } catch (const std::exception& error) {
        return Error(error.what());
    }
}

}  // namespace

Result<Netns> Netns::own() {
    const auto cookie = cookie_here();
    if (!cookie)
        return cookie.error();
    return Netns(*cookie, nullptr);
}

Result<Netns> Netns::open(const std::string& path) {
    // Without following into a device or a pipe that would block.
    auto fd = std::make_shared<const UniqueFd>(
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!*fd)
        return Error::from_errno(fmt::format("network namespace '{}'", path));
    struct statfs fs {};
    if (fstatfs(fd->get(), &fs) || fs.f_type != NSFS_MAGIC ||
        ioctl(fd->get(), NS_GET_NSTYPE) != CLONE_NEWNET)
        return Error(fmt::format("'{}' is no network namespace; name a file such as "
                                 "/run/netns/NAME or /proc/PID/ns/net",
                                 path),
                     EINVAL);
    Netns netns(0, std::move(fd));
    const auto status = netns.run([&netns]() -> Status {
        const auto cookie = cookie_here();
        if (!cookie)
            return cookie.error();
        netns.cookie_ = *cookie;
        return Ok{};
    });
    if (!status)
        return status.error();
    return netns;
}

Status Netns::run(const std::function<Status()>& what) const {
    if (!fd_)
        return what();
    Status result = Ok{};
    try {
        std::thread([&] {
            result = setns(fd_->get(), CLONE_NEWNET)
                         ? Error::from_errno("cannot enter the network namespace")
                         : guarded(what);
        }).join();
    } catch (const std::system_error& error) {
        return Error(fmt::format("cannot enter the network namespace: {}", error.what()), EAGAIN);
    }
    return result;
}

}  // namespace libra
