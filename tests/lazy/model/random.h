// SPDX-License-Identifier: GPL-2.0-only
// What is next, by a seed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace libra::test {

// SplitMix64
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    // 0 to count - 1
    std::size_t below(std::size_t count) { return next() % count; }
    std::size_t between(std::size_t least, std::size_t most) {
        return least + below(most - least + 1);
    }
    bool one_in(std::size_t count) { return below(count) == 0; }

  private:
    std::uint64_t state_;
};

}  // namespace libra::test
