// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "size_class.h"

namespace libra::memory {

// The pages of one arena, cut into runs. A free run is either
//   clean: reads as zeros; neighbours are joined; or
//   dirty: as free() left it, in a list of its class, the last freed first, so
//     that a hot block is used again as it is.
// Dirty runs become clean through begin_launder(), a discard by the caller, and
// end_launder(); between the two, the run is nobody's.
//
// Knows page numbers only: it neither touches the pages nor locks.
class PageRuns {
  public:
    static constexpr std::uint32_t kNone = 0xffff;

    void init();

    // Dirty runs of class_pages(index) or a little more, the last freed first; or kNone.
    std::uint32_t first_dirty(unsigned index) const { return dirty_[index]; }
    std::uint32_t next_dirty(std::uint32_t page) const { return pages_[page].next; }
    // Dirty becomes used.
    void take_dirty(std::uint32_t page);
    // A used run of `pages` whose first page is a multiple of `alignment`, or kNone.
    std::uint32_t take_clean(std::uint32_t pages, std::uint32_t alignment = 1);
    // Used becomes dirty.
    void give(std::uint32_t page);

    // Lengthens a used run in place, into a clean run behind it.
    bool grow(std::uint32_t page, std::uint32_t pages);
    // Cuts a used run; returns what was cut off, which is then as after
    // begin_launder().
    std::uint32_t shrink(std::uint32_t page, std::uint32_t pages);

    void begin_launder(std::uint32_t page);  // dirty
    void end_launder(std::uint32_t page);
    void cancel_launder(std::uint32_t page);  // dirty again

    std::uint32_t oldest_dirty() const { return oldest_; }
    bool is_used(std::uint32_t page) const { return pages_[page].state == State::used; }
    bool is_dirty(std::uint32_t page) const { return pages_[page].state == State::dirty; }
    bool is_clean(std::uint32_t page) const { return pages_[page].state == State::clean; }
    // Of the run that begins at `page`. The owner of a used run needs no lock.
    std::uint32_t length(std::uint32_t page) const { return pages_[page].length; }

    std::uint32_t used_pages() const { return used_pages_; }
    std::uint32_t used_runs() const { return used_runs_; }
    std::uint32_t dirty_pages() const { return dirty_pages_; }
    std::uint32_t clean_pages() const { return clean_pages_; }

  private:
    enum class State : std::uint8_t { inner, used, clean, dirty, laundered };
    using Link = std::uint16_t;

    // Valid for the first page of a run; length and state for the last one as well.
    struct Page {
        Link length;
        State state;
        Link next, previous;  // in the list of the class
        Link older, newer;    // dirty only
    };
    using Heads = std::array<Link, kClasses>;

    void mark(std::uint32_t page, std::uint32_t pages, State state);
    void push(Heads& heads, std::uint64_t& filled, std::uint32_t page);
    void unlink(Heads& heads, std::uint64_t& filled, std::uint32_t page);
    void add_dirty(std::uint32_t page);
    void unlink_dirty(std::uint32_t page);
    void add_clean(std::uint32_t page, std::uint32_t pages);
    void remove_clean(std::uint32_t page);
    void use(std::uint32_t page, std::uint32_t pages);

    std::uint64_t dirty_filled_;  // a bit for each class with a run in its list
    std::uint64_t clean_filled_;
    std::uint32_t used_pages_, used_runs_, dirty_pages_, clean_pages_;
    std::uint32_t oldest_, newest_;
    Heads dirty_;
    Heads clean_;
    std::array<Page, kArenaPages> pages_;
};

}  // namespace libra::memory
