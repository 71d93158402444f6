// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace libra::memory {

// Blocks for whoever allocates while the next allocator is being looked up, which
// is dlsym() itself. Never given back.
class Bootstrap {
  public:
    constexpr Bootstrap() = default;

    // Zeros; nullptr when the space is used up.
    void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t));
    bool owns(const void* block) const {
        return reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(&space_) <
               sizeof(space_);
    }
    // At most the end of what is in use: good enough to copy from.
    std::size_t size_at_most(const void* block) const;

  private:
    std::atomic<std::size_t> used_{0};
    alignas(std::max_align_t) std::array<char, 16384> space_{};
};

}  // namespace libra::memory
