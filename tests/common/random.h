// SPDX-License-Identifier: GPL-2.0-only
// Random numbers that are the same on every machine: a run is its seed.
#pragma once

#include <bit>
#include <cstdint>

namespace libra::test {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    // SplitMix64
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    // 0 to limit - 1
    std::uint64_t below(std::uint64_t limit) { return next() % limit; }

    // first to last, both included
    std::uint64_t between(std::uint64_t first, std::uint64_t last) {
        return first + below(last - first + 1);
    }

    bool one_in(std::uint64_t n) { return below(n) == 0; }

    // first to last, each power of two as likely as the next
    std::uint64_t log_between(std::uint64_t first, std::uint64_t last) {
        const auto low = static_cast<unsigned>(std::bit_width(first));
        const auto high = static_cast<unsigned>(std::bit_width(last));
        const auto width = static_cast<unsigned>(between(low, high));
        const std::uint64_t size =
            width == 0 ? 0
                       : (std::uint64_t{1} << (width - 1)) + below(std::uint64_t{1} << (width - 1));
        return size < first ? first : size > last ? last : size;
    }

  private:
    std::uint64_t state_;
};

}  // namespace libra::test
