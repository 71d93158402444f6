// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cerrno>

namespace libra::memory {

// errno is afterwards what it was before.
class KeepErrno {
  public:
    KeepErrno() : errno_(errno) {}
    ~KeepErrno() { errno = errno_; }
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;

  private:
    int errno_;
};

}  // namespace libra::memory
