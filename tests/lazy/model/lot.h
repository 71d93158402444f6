// SPDX-License-Identifier: GPL-2.0-only
// A mapping, and beside it in ordinary memory what each of its bytes must be.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "arena.h"

namespace libra::test {

class Lot {
  public:
    // The page at `before_edge` is the first of a second megabyte of the arena: what the
    // kernel keeps of payload memory, it keeps by the megabyte.
    Lot(int number, std::size_t pages, std::size_t before_edge, Kind kind);
    Lot(const Lot&) = delete;
    Lot& operator=(const Lot&) = delete;
    ~Lot();

    int number() const { return number_; }
    std::size_t size() const { return pages_.size() * kPage; }
    char* at(std::size_t offset) const { return memory_ + offset; }
    char* model(std::size_t offset) { return model_.data() + offset; }

    // The memory is as the model says, or Failed with the first byte that is not.
    void require(std::size_t at, std::size_t size, const std::string& what);

    // From here on, of whole pages. Zeros, as fresh memory is.
    void discard(std::size_t at, std::size_t size);
    // Ordinary memory in their place.
    void replace(std::size_t at, std::size_t size);
    void unmap(std::size_t at, std::size_t size);
    // A child that did not inherit them.
    void forget(std::size_t at, std::size_t size);
    void shrink(std::size_t pages);
    // By mremap(), in place; false if somebody else has the addresses behind it.
    bool grow(std::size_t pages);
    bool may_grow(std::size_t pages) const;
    // All of these bytes are payload memory.
    bool is_payload(std::size_t at, std::size_t size) const;

    // Its protection was changed, so that it is native for good.
    bool spoilt = false;

  private:
    enum class Page : unsigned char { kPayload, kOrdinary, kGone };
    void set(std::size_t at, std::size_t size, Page page);
    template <typename Action>
    void for_runs(std::size_t at, std::size_t size, Action action) const;

    int number_;
    char* memory_;
    std::size_t most_;  // pages that have addresses
    Page kind_;
    std::vector<Page> pages_;
    std::vector<char> model_;
};

// Bytes of a lot that have one owner. Where `whole` is set, the pages are nobody else's.
struct Region {
    Lot* lot;
    std::size_t begin;
    std::size_t end;
    bool whole;

    std::size_t size() const { return end - begin; }
};

struct Range {
    Lot* lot;
    std::size_t at;
    std::size_t size;
};

}  // namespace libra::test
