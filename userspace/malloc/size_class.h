// SPDX-License-Identifier: GPL-2.0-only
// Lengths of blocks in pages: 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ...,
// four to a doubling. What a block does not use of its last pages is never
// touched, and costs addresses only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace libra::memory {

inline constexpr std::size_t kPageShift = 12;
inline constexpr std::size_t kPageSize = std::size_t{1} << kPageShift;
inline constexpr std::size_t kArenaShift = 26;
inline constexpr std::size_t kArenaSize = std::size_t{1} << kArenaShift;
inline constexpr std::uint32_t kArenaPages = kArenaSize / kPageSize;
// The rest of an arena is its FreeTable.
inline constexpr std::uint32_t kTablePages = kArenaPages * sizeof(std::uint16_t) / kPageSize;
inline constexpr std::uint32_t kBlockPages = kArenaPages - kTablePages;

// The class of the longest run that is not longer than `pages` (> 0).
constexpr unsigned class_below(std::uint32_t pages) {
    if (pages < 2)
        return 0;
    if (pages < 4)
        return pages - 1;
    const unsigned doubling = std::bit_width(pages >> 3);  // from 4, 8, 16, ... pages on
    return 4 * doubling + 3 + ((pages >> doubling) & 3);
}

constexpr std::uint32_t class_pages(unsigned index) {
    if (index < 3)
        return index + 1;
    return (4 + (index - 3) % 4) << ((index - 3) / 4);
}

// The class of the shortest run that holds `pages` (> 0).
constexpr unsigned class_above(std::uint32_t pages) {
    const unsigned below = class_below(pages);
    return class_pages(below) == pages ? below : below + 1;
}

inline constexpr unsigned kClasses = class_below(kArenaPages) + 1;
static_assert(kClasses <= 64, "a word has a bit for each class");
static_assert(class_pages(kClasses - 1) == kArenaPages);

// Of `bytes` (> 0), rounded up to a class.
constexpr std::uint32_t block_pages(std::size_t bytes) {
    const std::size_t pages = (bytes + kPageSize - 1) >> kPageShift;
    return class_pages(class_above(static_cast<std::uint32_t>(pages)));
}

// Where in its first page a block of `size` begins. Buffers of whole pages begin with
// one: all of their pages are then received into as a whole. A program that asks for a
// little more has a header of its own in front of the bytes, and perhaps a table behind
// them (HAProxy: 48 bytes, and up to 64), so none of them would fill the last page: as
// far into the pages as this, what lies between has one page more that is whole.
inline constexpr std::size_t kSkew = 256;
constexpr std::size_t block_skew(std::size_t size) {
    const std::size_t rest = size % kPageSize;
    return rest != 0 && rest + kSkew <= kPageSize ? kSkew : 0;
}

}  // namespace libra::memory
