// SPDX-License-Identifier: GPL-2.0-only
// One thread of the model, or a child that it forked: does something to its memory, and
// the same to the model of it, over and over.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "channel.h"
#include "common/random.h"
#include "frame.h"
#include "journal.h"
#include "lot.h"
#include "pin.h"
#include "ring.h"
#include "world.h"

namespace libra::test {

class Walker {
  public:
    Walker(World& world, std::size_t number, std::uint64_t seed);

    void run(std::uint64_t operations);
    void finish();

    // For who is alone in the world.
    void require_all();
    void give(const Region& part) { parts_.push_back(part); }
    void take_back(Lot* lot);

  private:
    struct Operation {
        const char* name;
        unsigned weight;
        void (Walker::*run)();
        enum { kAnywhere, kAlone } where;
    };
    static const std::vector<Operation>& operations();

    // Where something is done; what is of nobody is locked.
    struct Choice {
        std::vector<Range> ranges;
        std::unique_lock<std::mutex> lock;

        std::size_t size() const;
        std::vector<iovec> pieces() const;
        std::string bytes() const;  // as the model has them
        void set(const std::string& bytes) const;
        void limit(std::size_t most);
    };

    void open_channels();
    void step();
    void guarded_step();
    std::string report(const std::string& what) const;

    // choose.cpp
    const Region& any_region();
    Range part_of(const Region& region);
    Choice choose(const char* what, std::size_t count);
    Choice choose_some(const char* what) {
        return choose(what, random_.one_in(3) ? random_.between(2, 4) : 1);
    }
    // Whole pages that are the walker's alone; size 0 if there are none.
    Range some_pages(const char* what, const Region& region, std::size_t most);
    Range some_pages_of_mine(const char* what, std::size_t most);
    Range some_pages_of_any(const char* what, std::size_t most);
    void carve(const Range& hole);
    std::string fresh(std::size_t size);

    // transfers.cpp
    void receive();
    void send();
    void pass_on(Choice from);
    void load();
    void store();
    void move();
    void peek();
    void drop();
    void splice();
    void receive_by_ring();
    void send_by_ring();
    void pin();
    void age_pins();
    void detach(const Range& range);

    // mappings.cpp
    void new_lot(std::size_t which);
    void discard();
    void advise();
    void unmap();
    void replace();
    void renew();
    void protect();
    void shrink();
    void grow();
    void lock();
    void unlock();

    // forks.cpp
    void fork();
    void fork_alone();
    void fork_child(bool everything);
    void be_child(std::uint64_t seed, bool everything, const Range& kept_back);
    void reap(std::size_t left);
    void look_at_all();
    void renew_shared();

    World& world_;
    std::size_t number_;
    Random random_;
    bool child_ = false;
    int depth_ = 0;
    std::uint64_t operation_ = 0;
    Journal journal_;

    std::vector<std::unique_ptr<Lot>> lots_;  // of payload memory, and the walker's alone
    std::vector<Region> own_;                 // what is left of them
    std::vector<Region> parts_;               // of lots that others have parts of
    std::unique_ptr<Lot> ordinary_;
    Region ordinary_region_;

    std::vector<std::unique_ptr<Channel>> in_;     // TCP, from ordinary memory only
    std::vector<std::unique_ptr<Channel>> relay_;  // from and to any memory
    std::optional<Ring> ring_;
    std::vector<std::unique_ptr<Pin>> pins_;
    std::optional<Range> locked_;
    std::vector<std::unique_ptr<Child>> children_;
};

}  // namespace libra::test
