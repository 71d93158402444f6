// SPDX-License-Identifier: GPL-2.0-only
#include "bootstrap.h"

namespace libra::memory {

void* Bootstrap::allocate(std::size_t size, std::size_t alignment) {
    if (size > sizeof(space_) || alignment > sizeof(space_))
        return nullptr;
    const std::size_t whole = (size + alignment - 1 + 15) & ~std::size_t{15};
    const std::size_t at = used_.fetch_add(whole, std::memory_order_relaxed);
    if (at > sizeof(space_) || whole > sizeof(space_) - at)
        return nullptr;
    const auto address = reinterpret_cast<std::uintptr_t>(&space_) + at;
    return space_.data() + at + (-address & (alignment - 1));
}

std::size_t Bootstrap::size_at_most(const void* block) const {
    return static_cast<std::size_t>(space_.data() + sizeof(space_) -
                                    static_cast<const char*>(block));
}

}  // namespace libra::memory
