// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>

namespace libra::memory {

// Maps `size` bytes of `fd` at a multiple of `size`; nullptr and errno.
void* map_arena(std::size_t size, int flags, int fd);

}  // namespace libra::memory
