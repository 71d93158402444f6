// SPDX-License-Identifier: GPL-2.0-only
#include "connection.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <iostream>

namespace libra::soak {

constexpr int kTurn = 1000;  // sends of small segments before the next connection

void Report::say(const Message& message, const std::string& what) const {
    std::cout << "FAILED: --seed " << mix.seed << ": " << message.name() << ": " << what
              << std::endl;
}

void Loop::add(const Fd& fd, Handler& handler, std::uint32_t events) {
    epoll_.add(fd, events, reinterpret_cast<std::uintptr_t>(&handler));
}

void Loop::change(const Fd& fd, Handler& handler, std::uint32_t events) {
    epoll_.modify(fd, events, reinterpret_cast<std::uintptr_t>(&handler));
}

void Loop::wait(int milliseconds) {
    for (const epoll_event& event : epoll_.wait(std::chrono::milliseconds(milliseconds)))
        reinterpret_cast<Handler*>(event.data.u64)->ready(event.events);
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
