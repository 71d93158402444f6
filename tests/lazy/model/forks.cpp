// SPDX-License-Identifier: GPL-2.0-only
// The model: forks, and what is done by who is alone.
#include <sys/mman.h>

#include "walker.h"

namespace libra::test {
namespace {

constexpr std::size_t kChildren = 2;
constexpr int kDepth = 2;

}  // namespace

void Walker::fork() {
    fork_child(false);
}

void Walker::fork_alone() {
    fork_child(true);
}

// Others go on meanwhile, unless it has everything to look at.
void Walker::fork_child(bool everything) {
    if (depth_ == kDepth)
        return;
    reap(kChildren - 1);
    const std::uint64_t seed = random_.next();
    Range kept_back = {.lot = nullptr, .at = 0, .size = 0};
    if (random_.one_in(4) && !everything)
        kept_back = some_pages_of_mine("not inherited", 8);
    if (kept_back.size != 0)
        require_call(::madvise(kept_back.lot->at(kept_back.at), kept_back.size, MADV_DONTFORK) == 0,
                     "MADV_DONTFORK");
    children_.push_back(std::make_unique<Child>([&] { be_child(seed, everything, kept_back); }));
    ++world_.forks;
    if (kept_back.size != 0)
        require_call(::madvise(kept_back.lot->at(kept_back.at), kept_back.size, MADV_DOFORK) == 0,
                     "MADV_DOFORK");
    if (random_.one_in(2))
        reap(0);
}

void Walker::be_child(std::uint64_t seed, bool everything, const Range& kept_back) {
    random_ = Random(seed);
    child_ = true;
    ++depth_;
    journal_.note("(the child)");
    // They are the parent's.
    for (auto& child : children_)
        (void)child.release();
    children_.clear();
    pins_.clear();
    locked_.reset();
    if (kept_back.size != 0) {
        kept_back.lot->forget(kept_back.at, kept_back.size);
        carve(kept_back);
    }
    try {
        if (everything)
            world_.require_all();
        else
            require_all();
    } catch (const Failed& failed) {
        throw Failed(report(std::string("what a child inherited: ") + failed.what()));
    }
    open_channels();
    if (ring_)
        ring_.emplace();
    for (std::size_t left = random_.between(2, 20); left > 0; --left)
        guarded_step();
    finish();
}

void Walker::reap(std::size_t left) {
    while (children_.size() > left) {
        const std::unique_ptr<Child> first = std::move(children_.front());
        children_.erase(children_.begin());
        first->wait("a child");
    }
}

void Walker::look_at_all() {
    world_.require_all();
}

void Walker::renew_shared() {
    world_.renew(random_.below(world_.shared_lots()), random_);
}

}  // namespace libra::test
