// SPDX-License-Identifier: GPL-2.0-only
#include "fake_source.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "map_arena.h"

namespace libra::memory {

FakeSource fake;

const PayloadSource fake_source = {
    .reserve = [](std::size_t size) -> void* {
        if (fake.refuse_arenas) {
            errno = fake.refuse_arenas;
            return nullptr;
        }
        fake.arenas++;
        return map_arena(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    },
    .discard =
        [](void* address, std::size_t size) {
            if (fake.refuse_discards) {
                errno = fake.refuse_discards;
                return false;
            }
            fake.discards++;
            return ::madvise(address, size, MADV_DONTNEED) == 0;
        },
    .release =
        [](void* address, std::size_t size) {
            fake.arenas--;
            munmap(address, size);
        },
};

const NextMalloc plain_malloc = {
    .malloc = ::malloc,
    .free = ::free,
    .calloc = ::calloc,
    .realloc = ::realloc,
    .memalign = ::memalign,
    .aligned_alloc = ::aligned_alloc,
    .posix_memalign = ::posix_memalign,
    .valloc = ::valloc,
    .pvalloc = ::pvalloc,
    .malloc_usable_size = ::malloc_usable_size,
};

TestHeap::TestHeap() {
    fake.refuse_arenas = fake.refuse_discards = 0;
    fake.arenas = fake.discards = 0;
}

TestHeap::~TestHeap() {
    heap_.release_free();
    EXPECT_EQ(heap_.counts().arenas, 0u) << "a block was not freed";
    EXPECT_EQ(fake.arenas, 0u);
}

std::size_t touched_pages(void* address, std::size_t size) {
    std::vector<unsigned char> pages(size / kPageSize);
    EXPECT_EQ(mincore(address, size, pages.data()), 0);
    return std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

bool all_bytes(const void* block, std::size_t size, unsigned char value) {
    const auto* bytes = static_cast<const unsigned char*>(block);
    return std::all_of(bytes, bytes + size, [value](unsigned char byte) { return byte == value; });
}

}  // namespace libra::memory
