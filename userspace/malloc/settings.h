// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <optional>

namespace libra::memory {

inline constexpr std::size_t kLowestMin = 4096;
inline constexpr std::size_t kDefaultMin = 16384;
inline constexpr std::size_t kHighestMin = std::size_t{1} << 30;

struct Settings {
    std::size_t min_block = kDefaultMin;  // LIBRA_MALLOC_MIN
    bool verbose = false;                 // LIBRA_MALLOC_VERBOSE
    bool ordinary = false;                // LIBRA_MALLOC_DEVICE
};

// A decimal number of bytes within the bounds.
std::optional<std::size_t> parse_min(const char* text);

// Of the environment, complaining about what cannot be used.
Settings read_settings();

}  // namespace libra::memory
