// SPDX-License-Identifier: GPL-2.0-only
#include "relay.h"

#include <chrono>
#include <utility>

namespace libra::bench {
namespace {

// Events carry slot * 2 + side; these are no slots.
constexpr std::uint64_t kListener = UINT64_MAX;
constexpr std::uint64_t kStop = UINT64_MAX - 1;
constexpr std::chrono::milliseconds kSoon(1);

}  // namespace

Relay::Relay(const Endpoint& listen, const Endpoint& upstream, MakeFlow make_flow)
    : listen_(listen),
      upstream_(upstream),
      make_flow_(std::move(make_flow)),
      listener_(listen_on(listen)),
      stop_(stop_signal()) {
    epoll_.add(listener_, EPOLLIN, kListener);
    epoll_.add(stop_, EPOLLIN, kStop);
}

void Relay::run() {
    announce(listener_, listen_);
    for (;;) {
        std::chrono::nanoseconds limit(-1);
        if (!soon_.empty())
            limit = kSoon;
        if (!again_.empty())
            limit = std::chrono::nanoseconds::zero();
        for (const epoll_event& event : epoll_.wait(limit)) {
            if (event.data.u64 == kStop)
                return;
            if (event.data.u64 == kListener)
                accept_all();
            else
                handle(event.data.u64 / 2, event.data.u64 % 2, event.events);
        }
        move_queued(again_);
        move_queued(soon_);
        free_.insert(free_.end(), closed_.begin(), closed_.end());
        closed_.clear();
    }
}

void Relay::accept_all() {
    while (Fd client = accept_from(listener_)) {
        int error = 0;
        Fd upstream = connect_to(upstream_, error);
        if (error != 0 && error != EINPROGRESS)
            continue;
        std::size_t slot = sessions_.size();
        if (free_.empty()) {
            sessions_.emplace_back();
        } else {
            slot = free_.back();
            free_.pop_back();
        }
        sessions_[slot] = std::make_unique<Session>();
        Session& session = *sessions_[slot];
        session.sides[0] = std::move(client);
        session.sides[1] = std::move(upstream);
        epoll_.add(session.sides[0], EPOLLET, slot * 2);
        epoll_.add(session.sides[1], EPOLLOUT | EPOLLET, slot * 2 + 1);
    }
}

void Relay::handle(std::size_t slot, unsigned side, std::uint32_t events) {
    if (!sessions_[slot])
        return;  // closed by an event of the same batch
    Session& session = *sessions_[slot];
    if (session.flow) {
        session.flow->event(side, events);
        return move(slot);
    }
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        return close(slot);
    if (side == 1 && (events & EPOLLOUT) != 0)
        begin(slot);
}

void Relay::begin(std::size_t slot) {
    Session& session = *sessions_[slot];
    session.flow = make_flow_(session.sides[0], session.sides[1]);
    // This also reports what was there before.
    for (unsigned side = 0; side < 2; ++side)
        epoll_.modify(session.sides[side], session.flow->events(), slot * 2 + side);
    move(slot);
}

void Relay::move(std::size_t slot) {
    Session& session = *sessions_[slot];
    const Progress progress = session.flow->move();
    if (progress == Progress::kDone)
        return close(slot);
    if (progress != Progress::kWait && !session.queued) {
        session.queued = true;
        (progress == Progress::kAgain ? again_ : soon_).push_back(slot);
    }
}

void Relay::move_queued(std::vector<std::size_t>& queue) {
    for (const std::size_t slot : std::exchange(queue, {})) {
        if (!sessions_[slot])
            continue;
        sessions_[slot]->queued = false;
        move(slot);
    }
}

void Relay::close(std::size_t slot) {
    sessions_[slot].reset();
    closed_.push_back(slot);
}

}  // namespace libra::bench
