// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "next_malloc.h"

namespace libra::memory {

// The allocator that would be there without us, looked up at the first call.
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): it is constinit
extern constinit const NextMalloc c_library;

}  // namespace libra::memory
