// SPDX-License-Identifier: GPL-2.0-only
#include "world.h"

#include <iostream>

#include "ring.h"
#include "walker.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kSharedLots = 2;
constexpr std::size_t kSharedPages = 96;

}  // namespace

Plan& plan() {
    static Plan it;
    return it;
}

World::World(std::size_t threads, std::uint64_t seed) : seed_(seed) {
    try {
        const Ring ring;
        rings = true;
    } catch (const Skipped& why) {
        std::cout << "# without " << why.what() << std::endl;
    }
    Random random(seed);
    for (std::size_t number = 0; number < threads; ++number)
        walkers_.push_back(std::make_unique<Walker>(*this, number, random.next()));
    for (std::size_t which = 0; which < kSharedLots; ++which) {
        shared_.emplace_back();
        renew(which, random);
    }
}

World::~World() = default;

// Anywhere, so that most pages have bytes of several owners.
void World::cut(Lot& lot, Random& random) {
    for (std::size_t at = 0; at < lot.size();) {
        std::size_t size = random.between(1, random.one_in(3) ? 12 * kPage : 3 * kPage);
        if (random.one_in(4))
            size += kPage - (at + size) % kPage;
        size = std::min(size, lot.size() - at);
        const Region part = {.lot = &lot, .begin = at, .end = at + size, .whole = false};
        const std::size_t owner = random.below(walkers_.size() + 1);
        if (owner == walkers_.size())
            commons.emplace_back(part);
        else
            walkers_[owner]->give(part);
        at += size;
    }
}

void World::renew(std::size_t which, Random& random) {
    std::unique_ptr<Lot>& lot = shared_[which];
    if (lot) {
        lot->require(0, lot->size(), "shared memory, before it is unmapped");
        for (const auto& walker : walkers_)
            walker->take_back(lot.get());
        commons.remove_if([&](const Common& common) { return common.region.lot == lot.get(); });
        lot.reset();
    }
    lot = std::make_unique<Lot>(next_number(), kSharedPages, random.between(0, kSharedPages),
                                Kind::kPayload);
    cut(*lot, random);
}

void World::require_all() {
    for (const auto& lot : shared_)
        lot->require(0, lot->size(), "all of what is shared");
    for (const auto& walker : walkers_)
        walker->require_all();
}

void World::run(std::uint64_t operations) {
    Workers workers;
    for (const auto& walker : walkers_)
        workers.start([&walker, &operations, this] {
            try {
                walker->run(operations / walkers_.size());
            } catch (...) {
                failed = true;
                throw;
            }
        });
    workers.join();
    require_all();
    for (const auto& walker : walkers_)
        walker->finish();
}

}  // namespace libra::test
