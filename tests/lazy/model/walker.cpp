// SPDX-License-Identifier: GPL-2.0-only
#include "walker.h"

#include <algorithm>
#include <numeric>

namespace libra::test {
namespace {

constexpr std::size_t kLots = 2;
constexpr std::size_t kOrdinaryPages = 32;
constexpr std::uint64_t kSample = 100;

}  // namespace

const std::vector<Walker::Operation>& Walker::operations() {
    static const std::vector<Operation> all = {
        {"receive", 350, &Walker::receive, Operation::kAnywhere},
        {"send", 140, &Walker::send, Operation::kAnywhere},
        {"load", 110, &Walker::load, Operation::kAnywhere},
        {"store", 80, &Walker::store, Operation::kAnywhere},
        {"move", 30, &Walker::move, Operation::kAnywhere},
        {"peek", 15, &Walker::peek, Operation::kAnywhere},
        {"drop", 8, &Walker::drop, Operation::kAnywhere},
        {"splice", 10, &Walker::splice, Operation::kAnywhere},
        {"receive by io_uring", 10, &Walker::receive_by_ring, Operation::kAnywhere},
        {"send by io_uring", 10, &Walker::send_by_ring, Operation::kAnywhere},
        {"pin", 20, &Walker::pin, Operation::kAnywhere},
        {"discard", 40, &Walker::discard, Operation::kAnywhere},
        {"advise", 30, &Walker::advise, Operation::kAnywhere},
        {"unmap", 10, &Walker::unmap, Operation::kAnywhere},
        {"replace", 6, &Walker::replace, Operation::kAnywhere},
        {"renew", 12, &Walker::renew, Operation::kAnywhere},
        {"protect", 4, &Walker::protect, Operation::kAnywhere},
        {"shrink", 10, &Walker::shrink, Operation::kAnywhere},
        {"grow", 12, &Walker::grow, Operation::kAnywhere},
        {"lock", 3, &Walker::lock, Operation::kAnywhere},
        {"fork", 5, &Walker::fork, Operation::kAnywhere},
        {"fork, alone", 1, &Walker::fork_alone, Operation::kAlone},
        {"look at all", 1, &Walker::look_at_all, Operation::kAlone},
        {"renew what is shared", 1, &Walker::renew_shared, Operation::kAlone},
    };
    return all;
}

Walker::Walker(World& world, std::size_t number, std::uint64_t seed)
    : world_(world),
      number_(number),
      random_(seed),
      lots_(kLots),
      ordinary_(std::make_unique<Lot>(world.next_number(), kOrdinaryPages, 0, Kind::kOrdinary)),
      ordinary_region_{ordinary_.get(), 0, ordinary_->size(), true} {
    for (std::size_t which = 0; which < kLots; ++which)
        new_lot(which);
    open_channels();
    if (world.rings)
        ring_.emplace();
}

void Walker::open_channels() {
    using enum Channel::Kind;
    in_.clear();
    relay_.clear();
    for (const auto kind : {kTcp4, kTcp6})
        in_.push_back(std::make_unique<Channel>(kind));
    for (const auto kind : {kTcp4, kTcp6, kUnix, kPipe, kFile})
        relay_.push_back(std::make_unique<Channel>(kind));
}

void Walker::step() {
    const auto& all = operations();
    static const unsigned sum =
        std::accumulate(all.begin(), all.end(), 0U,
                        [](unsigned before, const Operation& it) { return before + it.weight; });
    std::size_t at = random_.below(sum);
    const Operation* it = all.data();
    while (at >= it->weight)
        at -= (it++)->weight;
    journal_.begin(++operation_, it->name);
    if (child_) {
        // Who else there was in the parent may have held anything.
        if (it->where == Operation::kAnywhere)
            (this->*it->run)();
    } else if (it->where == Operation::kAlone) {
        const auto alone = world_.gate.alone();
        (this->*it->run)();
    } else {
        const auto inside = world_.gate.enter();
        (this->*it->run)();
    }
    age_pins();
    if (locked_ && random_.one_in(10))
        unlock();
}

void Walker::guarded_step() {
    try {
        step();
    } catch (const Failed& failed) {
        throw Failed(report(failed.what()));
    }
}

void Walker::run(std::uint64_t operations) {
    while (operation_ < operations && !world_.failed) {
        guarded_step();
        if (number_ == 0 && operation_ % kSample == 0)
            world_.now_and_then();
    }
    if (!world_.failed)
        reap(0);
}

void Walker::require_all() {
    for (const Region& region : own_)
        region.lot->require(region.begin, region.size(), "all of what is its own");
    for (const Region& region : parts_)
        region.lot->require(region.begin, region.size(), "all of its parts");
    ordinary_->require(0, ordinary_->size(), "ordinary memory");
}

void Walker::finish() {
    try {
        journal_.begin(++operation_, "the end");
        reap(0);
        for (const auto& pin : pins_)
            pin->release();
        pins_.clear();
        require_all();
        for (auto* some : {&in_, &relay_})
            for (const auto& channel : *some)
                channel->drain(channel->inside(), random_);
    } catch (const Failed& failed) {
        throw Failed(report(failed.what()));
    }
}

void Walker::take_back(Lot* lot) {
    detach({.lot = lot, .at = 0, .size = lot->size()});
    std::erase_if(parts_, [&](const Region& part) { return part.lot == lot; });
}

std::string Walker::report(const std::string& what) const {
    return what + "\nseed " + std::to_string(world_.seed()) + ", thread " +
           std::to_string(number_) + (child_ ? ", a child of it" : "") + ", operation " +
           std::to_string(operation_) + "; before that:" + journal_.text();
}

}  // namespace libra::test
