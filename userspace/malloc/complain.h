// SPDX-License-Identifier: GPL-2.0-only
#pragma once

namespace libra::memory {

// One line to standard error, "libra-malloc: ...", of at most 400 characters.
// Allocates nothing and takes no lock.
[[gnu::format(printf, 1, 2)]] void complain(const char* format, ...);

// For a program that is broken: goes on no more.
[[noreturn]] void die(const char* where, const char* what);

}  // namespace libra::memory
