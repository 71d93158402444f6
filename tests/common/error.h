// SPDX-License-Identifier: GPL-2.0-only
// The one error of these programs: what was tried, and why it did not work.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace libra::test {

class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;

    static Error from_errno(const std::string& what, int error = errno) {
        return Error(what + ": " + std::strerror(error));
    }
};

}  // namespace libra::test
