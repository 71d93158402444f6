// SPDX-License-Identifier: GPL-2.0-only
#include "storm_pool.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/error.h"
#include "common/socket.h"

namespace libra::test {
namespace {

void let_it_block(const Fd& fd) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0)
        throw Error::from_errno("fcntl");
}

}  // namespace

std::optional<StormConnection::Turn> StormConnection::begin(bool rest) {
    const std::lock_guard guard(lock_);
    if (rest != rest_)
        return {};
    return Turn{++begun_, under_way_++ == 0};
}

bool StormConnection::end(const Turn& turn, bool left) {
    const std::lock_guard guard(lock_);
    --under_way_;
    rest_ = left && turn.alone && begun_ == turn.number;
    return rest_;
}

StormLink StormPool::any(Random& random) {
    const std::lock_guard guard(lock_);
    StormLink& place = places_[random.below(places_.size())];
    if (place && place->is_due())
        place.reset();
    if (place)
        return place;
    Fd fd = open_();
    if (!fd)
        return {};
    let_it_block(fd);
    if (random.one_in(3))
        set_buffers(fd, static_cast<int>(random.log_between(4096, 65536)), 0);
    if (random.one_in(4))
        set_buffers(fd, 0, static_cast<int>(random.log_between(1 << 16, 1 << 20)));
    const std::chrono::milliseconds life(random.between(kShortest, kLongest));
    place = std::make_shared<StormConnection>(std::move(fd), StormConnection::Clock::now() + life);
    std::erase_if(all_, [](const auto& link) { return link.expired(); });
    all_.push_back(place);
    return place;
}

void StormPool::drop(const StormLink& link) {
    const std::lock_guard guard(lock_);
    const auto at = std::find(places_.begin(), places_.end(), link);
    if (at != places_.end())
        at->reset();
}

void StormPool::shut() {
    const std::lock_guard guard(lock_);
    for (const auto& weak : all_)
        if (const StormLink link = weak.lock())
            ::shutdown(link->fd(), SHUT_RDWR);
    for (StormLink& place : places_)
        place.reset();
}

}  // namespace libra::test
