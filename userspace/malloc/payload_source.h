// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>

namespace libra::memory {

// Where arenas come from. Nobody calls two of these functions at a time.
struct PayloadSource {
    // Zeros, `size` bytes at a multiple of `size`; or nullptr and errno.
    void* (*reserve)(std::size_t size);
    // The range reads as zeros afterwards. False and errno: nothing was done.
    bool (*discard)(void* address, std::size_t size);
    // Gives back a whole mapping of reserve().
    void (*release)(void* address, std::size_t size);
};

}  // namespace libra::memory
