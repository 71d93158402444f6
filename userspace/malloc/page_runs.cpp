// SPDX-License-Identifier: GPL-2.0-only
#include "page_runs.h"

#include <bit>

namespace libra::memory {

static_assert(kArenaPages < PageRuns::kNone);

void PageRuns::init() {
    dirty_filled_ = clean_filled_ = 0;
    used_pages_ = used_runs_ = dirty_pages_ = clean_pages_ = 0;
    oldest_ = newest_ = kNone;
    dirty_.fill(kNone);
    clean_.fill(kNone);
    add_clean(0, kBlockPages);
}

void PageRuns::mark(std::uint32_t page, std::uint32_t pages, State state) {
    for (Page* end : {&pages_[page], &pages_[page + pages - 1]}) {
        end->length = static_cast<Link>(pages);
        end->state = state;
    }
}

void PageRuns::push(Heads& heads, std::uint64_t& filled, std::uint32_t page) {
    const unsigned index = class_below(pages_[page].length);
    const Link head = heads[index];
    pages_[page].next = head;
    pages_[page].previous = kNone;
    if (head != kNone)
        pages_[head].previous = static_cast<Link>(page);
    heads[index] = static_cast<Link>(page);
    filled |= std::uint64_t{1} << index;
}

void PageRuns::unlink(Heads& heads, std::uint64_t& filled, std::uint32_t page) {
    const Page& run = pages_[page];
    const unsigned index = class_below(run.length);
    if (run.previous != kNone)
        pages_[run.previous].next = run.next;
    else
        heads[index] = run.next;
    if (run.next != kNone)
        pages_[run.next].previous = run.previous;
    if (heads[index] == kNone)
        filled &= ~(std::uint64_t{1} << index);
}

void PageRuns::unlink_dirty(std::uint32_t page) {
    const Page& run = pages_[page];
    unlink(dirty_, dirty_filled_, page);
    if (run.older != kNone)
        pages_[run.older].newer = run.newer;
    else
        oldest_ = run.newer;
    if (run.newer != kNone)
        pages_[run.newer].older = run.older;
    else
        newest_ = run.older;
    dirty_pages_ -= run.length;
}

void PageRuns::add_clean(std::uint32_t page, std::uint32_t pages) {
    mark(page, pages, State::clean);
    push(clean_, clean_filled_, page);
    clean_pages_ += pages;
}

void PageRuns::remove_clean(std::uint32_t page) {
    unlink(clean_, clean_filled_, page);
    clean_pages_ -= pages_[page].length;
}

void PageRuns::use(std::uint32_t page, std::uint32_t pages) {
    mark(page, pages, State::used);
    used_pages_ += pages;
    used_runs_++;
}

void PageRuns::take_dirty(std::uint32_t page) {
    unlink_dirty(page);
    use(page, pages_[page].length);
}

std::uint32_t PageRuns::take_clean(std::uint32_t pages, std::uint32_t alignment) {
    const std::uint32_t wanted = pages + alignment - 1;
    if (wanted > kBlockPages)
        return kNone;
    const std::uint64_t fitting = clean_filled_ & (~std::uint64_t{0} << class_above(wanted));
    if (!fitting)
        return kNone;
    const std::uint32_t run = clean_[std::countr_zero(fitting)];
    const std::uint32_t end = run + pages_[run].length;
    const std::uint32_t page = (run + alignment - 1) & ~(alignment - 1);
    remove_clean(run);
    if (page > run)
        add_clean(run, page - run);
    if (page + pages < end)
        add_clean(page + pages, end - page - pages);
    use(page, pages);
    return page;
}

void PageRuns::add_dirty(std::uint32_t page) {
    Page& run = pages_[page];
    mark(page, run.length, State::dirty);
    push(dirty_, dirty_filled_, page);
    run.newer = kNone;
    run.older = static_cast<Link>(newest_);
    if (newest_ != kNone)
        pages_[newest_].newer = static_cast<Link>(page);
    else
        oldest_ = page;
    newest_ = page;
    dirty_pages_ += run.length;
}

void PageRuns::give(std::uint32_t page) {
    used_pages_ -= pages_[page].length;
    used_runs_--;
    add_dirty(page);
}

bool PageRuns::grow(std::uint32_t page, std::uint32_t pages) {
    const std::uint32_t old = pages_[page].length;
    const std::uint32_t behind = page + old;
    if (page + pages > kBlockPages || !is_clean(behind))
        return false;
    const std::uint32_t there = pages_[behind].length;
    if (old + there < pages)
        return false;
    remove_clean(behind);
    if (old + there > pages)
        add_clean(page + pages, old + there - pages);
    mark(page, pages, State::used);
    used_pages_ += pages - old;
    return true;
}

std::uint32_t PageRuns::shrink(std::uint32_t page, std::uint32_t pages) {
    const std::uint32_t cut = pages_[page].length - pages;
    mark(page, pages, State::used);
    mark(page + pages, cut, State::laundered);
    used_pages_ -= cut;
    return page + pages;
}

void PageRuns::begin_launder(std::uint32_t page) {
    unlink_dirty(page);
    mark(page, pages_[page].length, State::laundered);
}

void PageRuns::end_launder(std::uint32_t page) {
    std::uint32_t first = page;
    std::uint32_t end = page + pages_[page].length;
    if (first > 0 && pages_[first - 1].state == State::clean) {
        first -= pages_[first - 1].length;
        remove_clean(first);
    }
    if (end < kBlockPages && pages_[end].state == State::clean) {
        const std::uint32_t behind = end;
        end += pages_[behind].length;
        remove_clean(behind);
    }
    add_clean(first, end - first);
}

void PageRuns::cancel_launder(std::uint32_t page) {
    add_dirty(page);
}

}  // namespace libra::memory
