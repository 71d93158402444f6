// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <atomic>
#include <memory>

#include "allocator.h"
#include "payload_source.h"

namespace libra::memory {

// Private memory, and what a test wants to go wrong.
struct FakeSource {
    std::atomic<int> refuse_arenas{0};    // errno
    std::atomic<int> refuse_discards{0};  // errno
    std::atomic<unsigned> arenas{0};      // mapped now
    std::atomic<unsigned> discards{0};
};
extern FakeSource fake;
extern const PayloadSource fake_source;
extern const NextMalloc plain_malloc;

// A heap of its own for each test; what it mapped is gone afterwards.
class TestHeap {
  public:
    TestHeap();
    ~TestHeap();  // all blocks must be free
    Heap* operator->() { return &heap_; }
    Heap& operator*() { return heap_; }

  private:
    std::unique_ptr<ArenaTable> table_ = std::make_unique<ArenaTable>();
    Heap heap_{fake_source, *table_};
};

// Pages of memory at `address` that somebody touched.
std::size_t touched_pages(void* address, std::size_t size);
bool all_bytes(const void* block, std::size_t size, unsigned char value);

}  // namespace libra::memory
