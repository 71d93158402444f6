// SPDX-License-Identifier: GPL-2.0-only
// Latencies in logarithmic buckets, none wider than 1/128 of its values.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace libra::bench {

class Histogram {
  public:
    void record(std::uint64_t nanoseconds) {
        const std::size_t index = bucket(nanoseconds);
        if (counts_.size() <= index)
            counts_.resize(index + 1);
        ++counts_[index];
        min_ = count_ == 0 ? nanoseconds : std::min(min_, nanoseconds);
        max_ = std::max(max_, nanoseconds);
        sum_ += static_cast<double>(nanoseconds);
        ++count_;
    }

    std::uint64_t count() const { return count_; }
    std::uint64_t min() const { return min_; }
    std::uint64_t max() const { return max_; }
    double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

    // The upper end of the bucket with the value that `share` of all do not exceed.
    std::uint64_t percentile(double share) const {
        const auto rank = static_cast<std::uint64_t>(
            std::max(1.0, std::ceil(share * static_cast<double>(count_))));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= rank)
                return std::min(upper(i), max_);
        }
        return max_;
    }

    // (upper end, count) of what is not empty
    std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets() const {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
        for (std::size_t i = 0; i < counts_.size(); ++i)
            if (counts_[i] > 0)
                all.emplace_back(upper(i), counts_[i]);
        return all;
    }

  private:
    // Values below 256 have buckets of their own; above, 128 for each doubling.
    static std::size_t bucket(std::uint64_t value) {
        if (value < 256)
            return static_cast<std::size_t>(value);
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - 8;
        return 256 + (shift - 1) * 128 + static_cast<std::size_t>((value >> shift) - 128);
    }

    static std::uint64_t upper(std::size_t index) {
        if (index < 256)
            return index;
        const std::size_t shift = (index - 256) / 128 + 1;
        const std::uint64_t sub = (index - 256) % 128;
        return ((128 + sub + 1) << shift) - 1;
    }

    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t min_ = 0;
    std::uint64_t max_ = 0;
    double sum_ = 0;
};

}  // namespace libra::bench
