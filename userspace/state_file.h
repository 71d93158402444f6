// SPDX-License-Identifier: GPL-2.0-only
// What is in force, kept where the next librad finds it: policies outlive the process that
// put them there, as the kernel's side of them does (see pins.h).
#pragma once

#include <string>
#include <string_view>

#include "error.h"
#include "policy_set.h"

namespace libra {

// As text, and back. What is not understood is refused as a whole.
std::string format_state(const PolicySet& set);
Result<PolicySet> parse_state(std::string_view text);

class StateFile {
  public:
    explicit StateFile(std::string path) : path_(std::move(path)) {}

    // All of it, or what was there before.
    Status save(const PolicySet& set) const;
    // An empty set if there is none.
    Result<PolicySet> load() const;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace libra
