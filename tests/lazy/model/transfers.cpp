// SPDX-License-Identifier: GPL-2.0-only
// The model: bytes that come, go, and are looked at.
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "pattern.h"
#include "walker.h"

namespace libra::test {
namespace {

constexpr std::size_t kPins = 3;
// A pipe's buffers, less the page that a range has more for beginning inside of one.
constexpr std::size_t kPinned = 14 * kPage;

}  // namespace

void Walker::receive() {
    const bool fresh_bytes = !random_.one_in(3);
    auto& some = fresh_bytes ? in_ : relay_;
    Channel& channel = *some[random_.below(some.size())];
    Choice to = choose_some("to");
    to.limit(channel.inside() + channel.room());
    const std::size_t size = to.size();
    journal_.note(channel.name(), size);
    if (channel.inside() < size) {
        const std::size_t more = size - channel.inside();
        const std::size_t extra = random_.one_in(3) ? random_.below(3 * kPage) : 0;
        channel.put(fresh(std::min(more + extra, channel.room())), random_);
    }
    to.set(channel.get(to.pieces(), random_));
    if (fresh_bytes)
        for (const Range& range : to.ranges)
            if (range.lot != ordinary_.get())
                world_.fresh_bytes += range.size;
    // What a proxy does.
    if (random_.one_in(3)) {
        journal_.note("and on to");
        pass_on(std::move(to));
    }
}

void Walker::send() {
    pass_on(choose_some("from"));
}

void Walker::pass_on(Choice from) {
    Channel& channel = *relay_[random_.below(relay_.size())];
    if (channel.room() < from.size())
        channel.drain(channel.inside(), random_);
    from.limit(channel.room());
    journal_.note(channel.name(), from.size());
    channel.put(from.pieces(), from.bytes(), random_);
    if (channel.is_tcp())
        world_.sent_bytes += from.size();
    if (random_.one_in(3))
        channel.drain(random_.between(1, channel.inside()), random_);
}

void Walker::load() {
    const Choice where = choose("look", 1);
    const Range& range = where.ranges[0];
    std::string seen(range.size, '\0');
    switch (random_.below(4)) {
        case 0: {
            journal_.note("process_vm_readv");
            const iovec local = {seen.data(), seen.size()};
            const auto remote = where.pieces();
            require_equal(::process_vm_readv(::getpid(), &local, 1, remote.data(), 1, 0),
                          static_cast<ssize_t>(seen.size()), "process_vm_readv");
            require_same(seen, where.bytes(), "process_vm_readv");
            break;
        }
        case 1: {
            journal_.note("one byte");
            const std::size_t at = range.at + random_.below(range.size);
            range.lot->require(at, 1, "one byte");
            break;
        }
        default:
            range.lot->require(range.at, range.size, "looked at");
    }
}

void Walker::store() {
    const Choice where = choose("write", 1);
    const Range& range = where.ranges[0];
    switch (random_.below(4)) {
        case 0: {
            journal_.note("process_vm_writev");
            std::string bytes = fresh(range.size);
            const iovec local = {bytes.data(), bytes.size()};
            const auto remote = where.pieces();
            require_equal(::process_vm_writev(::getpid(), &local, 1, remote.data(), 1, 0),
                          static_cast<ssize_t>(bytes.size()), "process_vm_writev");
            where.set(bytes);
            break;
        }
        case 1: {
            journal_.note("one byte");
            const std::size_t at = range.at + random_.below(range.size);
            *range.lot->at(at) = *range.lot->model(at) = static_cast<char>(random_.next());
            break;
        }
        default:
            where.set(fresh(range.size));
            std::memcpy(range.lot->at(range.at), range.lot->model(range.at), range.size);
    }
}

// Also of ranges that overlap.
void Walker::move() {
    const Choice two = choose("move", 2);
    const Range& from = two.ranges[0];
    const Range& to = two.ranges[1];
    const std::size_t size = std::min(from.size, to.size);
    std::memmove(to.lot->at(to.at), from.lot->at(from.at), size);
    std::memmove(to.lot->model(to.at), from.lot->model(from.at), size);
}

void Walker::peek() {
    Channel& channel = *in_[random_.below(in_.size())];
    Choice to = choose("peek", 1);
    const std::size_t size = to.size();
    if (channel.inside() < size)
        channel.put(fresh(size - channel.inside()), random_);
    to.set(channel.peek(to.pieces()[0]));
}

void Walker::drop() {
    Channel& channel = *in_[random_.below(in_.size())];
    if (channel.inside() == 0)
        return;
    const std::size_t size = random_.between(1, channel.inside());
    journal_.note(channel.name(), size);
    channel.drop(size);
}

// The socket has the very pages, until somebody reads them. Who receives them must have
// their bytes as they are now.
void Walker::splice() {
    Channel& channel = *relay_[0];
    channel.drain(channel.inside(), random_);
    Choice two = choose("splice", 2);
    Choice from = {.ranges = {two.ranges[0]}, .lock = {}};
    Choice to = {.ranges = {two.ranges[1]}, .lock = {}};
    from.limit(kPinned);
    to.limit(from.size());
    channel.put_pages(from.pieces()[0], from.bytes());
    const Range& read = from.ranges[0];
    const Range& written = to.ranges[0];
    if (read.lot != written.lot || read.at >= written.at + written.size ||
        written.at >= read.at + read.size)
        to.set(channel.get(to.pieces(), random_));
    channel.drain(channel.inside(), random_);
}

void Walker::receive_by_ring() {
    if (!ring_)
        return;
    Channel& channel = *in_[random_.below(in_.size())];
    const Choice to = choose("to", 1);
    if (channel.inside() < to.size())
        channel.put(fresh(to.size() - channel.inside()), random_);
    to.set(channel.get(to.pieces()[0], *ring_, random_.one_in(2) ? IOSQE_ASYNC : 0));
}

void Walker::send_by_ring() {
    if (!ring_)
        return;
    Channel& channel = *relay_[0];
    const Choice from = choose("from", 1);
    if (channel.room() < from.size())
        channel.drain(channel.inside(), random_);
    channel.put(from.pieces()[0], from.bytes(), *ring_, random_.one_in(2) ? IOSQE_ASYNC : 0);
}

void Walker::pin() {
    if (pins_.size() == kPins || own_.empty())
        return;
    // Nobody else may write there.
    const Region& region = parts_.empty() || random_.one_in(2)
                               ? own_[random_.below(own_.size())]
                               : parts_[random_.below(parts_.size())];
    Range range = part_of(region);
    range.size = std::min(range.size, kPinned);
    journal_.note("pin", range);
    pins_.push_back(std::make_unique<Pin>(range, static_cast<int>(random_.between(1, 60))));
    ++world_.pins;
}

void Walker::age_pins() {
    for (std::size_t i = 0; i < pins_.size();) {
        if (!pins_[i]->expired()) {
            ++i;
            continue;
        }
        journal_.note("(a pin ends)");
        const std::unique_ptr<Pin> ended = std::move(pins_[i]);
        pins_.erase(pins_.begin() + static_cast<std::ptrdiff_t>(i));
        ended->release();
    }
}

void Walker::detach(const Range& range) {
    for (const auto& pin : pins_)
        pin->detach(range);
}

}  // namespace libra::test
