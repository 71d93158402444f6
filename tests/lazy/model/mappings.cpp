// SPDX-License-Identifier: GPL-2.0-only
// The model: what happens to mappings.
#include <sys/mman.h>

#include <algorithm>

#include "walker.h"

namespace libra::test {
namespace {

constexpr std::size_t kPages = 64;

// None of these changes a byte.
constexpr int kAdvice[] = {MADV_NORMAL,        MADV_RANDOM,         MADV_SEQUENTIAL,
                           MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLD,
                           MADV_PAGEOUT,       MADV_DONTDUMP,       MADV_DODUMP};

}  // namespace

void Walker::new_lot(std::size_t which) {
    std::unique_ptr<Lot>& lot = lots_[which];
    lot = std::make_unique<Lot>(world_.next_number(), kPages, random_.between(0, kPages),
                                Kind::kPayload);
    own_.push_back({.lot = lot.get(), .begin = 0, .end = lot->size(), .whole = true});
}

void Walker::discard() {
    const Range pages = some_pages_of_any("pages", 12);
    if (pages.size == 0)
        return;
    detach(pages);
    pages.lot->discard(pages.at, pages.size);
}

void Walker::advise() {
    const Range pages = some_pages_of_any("pages", 12);
    if (pages.size == 0)
        return;
    char* const at = pages.lot->at(pages.at);
    const std::size_t way = random_.below(std::size(kAdvice) + 1);
    if (way == std::size(kAdvice)) {
        journal_.note("msync");
        require_call(::msync(at, pages.size, MS_SYNC) == 0, "msync");
        return;
    }
    // Locked memory cannot be either, wherever it is.
    if (locked_ && locked_->lot == pages.lot &&
        (kAdvice[way] == MADV_COLD || kAdvice[way] == MADV_PAGEOUT))
        return;
    journal_.note("advice", static_cast<std::size_t>(kAdvice[way]));
    require_call(::madvise(at, pages.size, kAdvice[way]) == 0,
                 "madvise " + std::to_string(kAdvice[way]));
}

void Walker::unmap() {
    const Range pages = some_pages_of_mine("pages", 6);
    if (pages.size == 0)
        return;
    detach(pages);
    pages.lot->unmap(pages.at, pages.size);
    carve(pages);
}

// One buffer is then of both kinds of memory.
void Walker::replace() {
    const Range pages = some_pages_of_mine("pages", 4);
    if (pages.size == 0)
        return;
    detach(pages);
    pages.lot->replace(pages.at, pages.size);
}

// Those first of which there is little left to receive into lazily.
void Walker::renew() {
    std::size_t which = random_.below(lots_.size());
    for (std::size_t i = 0; i < lots_.size(); ++i)
        if (lots_[i]->spoilt)
            which = i;
    Lot* const lot = lots_[which].get();
    const Range all = {.lot = lot, .at = 0, .size = lot->size()};
    journal_.note("all of", all);
    for (const Region& region : own_)
        if (region.lot == lot && random_.one_in(2))
            lot->require(region.begin, region.size(), "before it is unmapped");
    detach(all);
    if (locked_ && locked_->lot == lot)
        unlock();
    carve(all);
    new_lot(which);
}

void Walker::protect() {
    const Range pages = some_pages_of_mine("pages", 6);
    if (pages.size == 0)
        return;
    char* const at = pages.lot->at(pages.at);
    pages.lot->spoilt = true;
    require_call(::mprotect(at, pages.size, PROT_READ) == 0, "PROT_READ");
    Channel& channel = *in_[random_.below(in_.size())];
    if (channel.inside() < pages.size)
        channel.put(fresh(pages.size - channel.inside()), random_);
    channel.require_refused({at, pages.size});
    if (random_.one_in(2))
        pages.lot->require(pages.at, pages.size, "read-only");
    if (random_.one_in(2))
        require_call(::mprotect(at, pages.size, PROT_NONE) == 0, "PROT_NONE");
    require_call(::mprotect(at, pages.size, PROT_READ | PROT_WRITE) == 0, "PROT_WRITE");
}

void Walker::shrink() {
    if (own_.empty())
        return;
    const Region region = own_[random_.below(own_.size())];
    if (region.end != region.lot->size() || region.size() < 3 * kPage)
        return;
    const std::size_t pages =
        random_.between(1, std::min<std::size_t>(8, region.size() / kPage - 1));
    const Range tail = {.lot = region.lot, .at = region.end - pages * kPage, .size = pages * kPage};
    journal_.note("the last", tail);
    if (locked_ && locked_->lot == region.lot)
        unlock();
    detach(tail);
    region.lot->shrink(pages);
    carve(tail);
}

void Walker::grow() {
    if (own_.empty())
        return;
    const std::size_t which = random_.below(own_.size());
    Lot& lot = *own_[which].lot;
    const std::size_t pages = random_.between(1, 8);
    if (own_[which].end != lot.size() || !lot.may_grow(pages))
        return;
    if (locked_ && locked_->lot == &lot)
        unlock();
    const std::size_t before = lot.size();
    const bool grown = lot.grow(pages);
    journal_.note(grown ? "grown" : "refused", {.lot = &lot, .at = before, .size = pages * kPage});
    if (grown)
        own_[which].end = lot.size();
}

// While it lasts, all of the process receives natively.
void Walker::lock() {
    if (locked_)
        return;
    const Range pages = some_pages_of_mine("pages", 6);
    if (pages.size == 0)
        return;
    require_call(::mlock(pages.lot->at(pages.at), pages.size) == 0, "mlock");
    locked_ = pages;
}

void Walker::unlock() {
    // A part of it may be unmapped by now.
    journal_.note("munlock", *locked_);
    if (::munlock(locked_->lot->at(locked_->at), locked_->size) != 0)
        require_call(errno == ENOMEM, "munlock");
    locked_.reset();
}

}  // namespace libra::test
