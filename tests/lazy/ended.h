// SPDX-License-Identifier: GPL-2.0-only
// What an access does to the process that tries it.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>

#include "frame.h"

namespace libra::test {

// The signal that ends a child which does this; 0 if none does.
template <typename Access>
int signal_of(Access access) {
    Child child([&] {
        const rlimit none = {};
        ::setrlimit(RLIMIT_CORE, &none);
        access();
    });
    const int status = child.status();
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace libra::test
