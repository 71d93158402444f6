// SPDX-License-Identifier: GPL-2.0-only
// What there is one of in a process.
#pragma once

#include <cstddef>

#include "allocator.h"
#include "libra_malloc.h"
#include "payload_source.h"

namespace libra::memory {

// Where the process has payload memory from: device.cpp. Linked in, so that tests
// can have the whole library over another one.
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): it is constinit
extern constinit const PayloadSource process_source;
libra_malloc_device process_source_state(int* error);
// May be called before the first reserve().
void process_source_verbose(std::size_t min_block);
void process_source_ordinary();

// For a call about `size` bytes (0: any): reads the environment when it may matter.
Allocator& process_allocator(std::size_t size = 0);

}  // namespace libra::memory
