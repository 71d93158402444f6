// SPDX-License-Identifier: GPL-2.0-only
#include "complain.h"

#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "keep_errno.h"

namespace libra::memory {

void complain(const char* format, ...) {
    const KeepErrno keep;
    constexpr int kPrefix = 14;
    char line[kPrefix + 401] = "libra-malloc: ";
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(line + kPrefix, sizeof(line) - kPrefix, format, arguments);
    va_end(arguments);
    const int end = kPrefix + std::clamp(written, 0, 399);
    line[end] = '\n';
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line, end + 1);
}

void die(const char* where, const char* what) {
    complain("%s: %s", where, what);
    abort();
}

}  // namespace libra::memory
