// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>

#include "free_table.h"
#include "page_runs.h"

namespace libra::memory {

// What is known of one mapping of payload memory. Lies in a mapping of its own:
// payload memory holds blocks and a FreeTable, and who keeps books there touches it.
struct Arena {
    // For the arena at `base`; nullptr without memory.
    static Arena* create(char* base);
    static void destroy(Arena* arena);

    char* address(std::uint32_t page) const { return base + (std::size_t{page} << kPageShift); }
    std::uint32_t page_of(const void* pointer) const {
        return static_cast<std::uint32_t>((static_cast<const char*>(pointer) - base) >> kPageShift);
    }

    FreeTable freed() const { return FreeTable(base); }

    char* base;
    bool retired;  // mapped before a fork
    PageRuns runs;
};

}  // namespace libra::memory
