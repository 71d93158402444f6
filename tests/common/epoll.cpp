// SPDX-License-Identifier: GPL-2.0-only
#include "epoll.h"

#include <cerrno>
#include <iterator>

#include "error.h"

namespace libra::test {

Epoll::Epoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!fd_)
        throw Error::from_errno("epoll_create1");
}

void Epoll::add(const Fd& fd, std::uint32_t events, std::uint64_t data) {
    control(EPOLL_CTL_ADD, fd, events, data);
}

void Epoll::modify(const Fd& fd, std::uint32_t events, std::uint64_t data) {
    control(EPOLL_CTL_MOD, fd, events, data);
}

void Epoll::control(int how, const Fd& fd, std::uint32_t events, std::uint64_t data) {
    epoll_event event = {.events = events, .data = {.u64 = data}};
    if (::epoll_ctl(fd_.get(), how, fd.get(), &event) != 0)
        throw Error::from_errno("epoll_ctl");
}

std::span<const epoll_event> Epoll::wait(std::chrono::nanoseconds limit) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(limit);
    const timespec at_most = {.tv_sec = whole.count(), .tv_nsec = (limit - whole).count()};
    const int count = ::epoll_pwait2(fd_.get(), events_, static_cast<int>(std::size(events_)),
                                     limit.count() < 0 ? nullptr : &at_most, nullptr);
    if (count < 0 && errno != EINTR)
        throw Error::from_errno("epoll_pwait2");
    return {events_, static_cast<std::size_t>(count < 0 ? 0 : count)};
}

}  // namespace libra::test
