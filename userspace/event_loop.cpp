// SPDX-License-Identifier: GPL-2.0-only
#include "event_loop.h"

#include <sys/epoll.h>

namespace libra {

Result<EventLoop> EventLoop::create() {
    UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return Error::from_errno("cannot create an epoll set");
    return EventLoop(std::move(epoll));
}

Status EventLoop::add(int fd, std::uint32_t events, Callback callback) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event))
        return Error::from_errno("cannot watch a descriptor");
    callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
    return Ok{};
}

void EventLoop::modify(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    callbacks_.erase(fd);
}

Status EventLoop::run() {
    while (!stopped_) {
        // One event at a time: a callback may close a descriptor whose number
        // the next event of the same batch would then carry.
        epoll_event event{};
        const int ready = epoll_wait(epoll_.get(), &event, 1, -1);
        if (ready < 0 && errno != EINTR)
            return Error::from_errno("cannot wait for events");
        if (ready <= 0)
            continue;
        const auto it = callbacks_.find(event.data.fd);
        if (it == callbacks_.end())
            continue;
        const auto callback = it->second;  // it may remove itself
        (*callback)(event.events);
    }
    return Ok{};
}

}  // namespace libra
