// SPDX-License-Identifier: GPL-2.0-only
#include "connection.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <iostream>

#include "common/error.h"

namespace libra::soak {

using test::Error;

constexpr int kTurn = 1000;  // sends of small segments before the next connection

void Report::say(const Message& message, const std::string& what) const {
    std::cout << "FAILED: --seed " << mix.seed << ": " << message.name() << ": " << what
              << std::endl;
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_)
        throw Error::from_errno("epoll_create1");
}

void Loop::add(const Fd& fd, Handler& handler, std::uint32_t events) {
    control(EPOLL_CTL_ADD, fd, handler, events);
}

void Loop::change(const Fd& fd, Handler& handler, std::uint32_t events) {
    control(EPOLL_CTL_MOD, fd, handler, events);
}

void Loop::control(int how, const Fd& fd, Handler& handler, std::uint32_t events) {
    epoll_event event = {};
    event.events = events;
    event.data.ptr = &handler;
    if (::epoll_ctl(epoll_.get(), how, fd.get(), &event) != 0)
        throw Error::from_errno("epoll_ctl");
}

void Loop::wait(int milliseconds) {
    std::array<epoll_event, 64> events;
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
    if (count < 0 && errno != EINTR)
        throw Error::from_errno("epoll_wait");
    for (int i = 0; i < count; ++i)
        static_cast<Handler*>(events[i].data.ptr)->ready(events[i].events);
}

bool Output::send(const Fd& fd, const Fd* file, const Blob& blob, std::size_t segment) {
    // Others want their turn, too.
    for (int turn = 0; !parts_.empty() && (segment == 0 || turn < kTurn); ++turn) {
        const Part& part = parts_.front();
        auto left = part.bytes().substr(sent_);
        if (segment > 0 && part.own.empty())
            left = left.substr(0, segment);
        ssize_t count = 0;
        if (file && part.own.empty() && segment == 0) {
            off_t at = left.data() - blob.all().data();
            count = ::sendfile(fd.get(), file->get(), &at, left.size());
        } else {
            count = ::send(fd.get(), left.data(), left.size(),
                           MSG_NOSIGNAL | (parts_.size() > 1 && segment == 0 ? MSG_MORE : 0));
        }
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        sent_ += static_cast<std::size_t>(count);
        if (sent_ < part.bytes().size())
            continue;
        parts_.pop_front();
        sent_ = 0;
    }
    return true;
}

}  // namespace libra::soak
