// SPDX-License-Identifier: GPL-2.0-only
#include "quantity.h"

#include <fmt/format.h>

#include <array>

namespace libra {
namespace {

std::string scaled(double value) {
    constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    constexpr double kThousand = 1000;
    std::size_t unit = 0;
    // What would be rounded to 1000 of a unit is one of the next.
    while (value >= kThousand - 0.5 && unit + 1 < kUnits.size()) {
        value /= kThousand;
        ++unit;
    }
    return unit == 0       ? fmt::format("{:.0f} {}", value, kUnits[unit])
           : value < 99.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                           : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
    return scaled(static_cast<double>(bytes));
}

std::string format_short(std::uint64_t bytes) {
    constexpr std::array kUnits = {"", "k", "M", "G", "T", "P", "E"};
    constexpr std::uint64_t kThousand = 1000;
    std::size_t unit = 0;
    while (bytes >= kThousand) {
        bytes = (bytes + kThousand / 2) / kThousand;
        ++unit;
    }
    return fmt::format("{}{}", bytes, kUnits[unit]);
}

std::string format_rate(double bytes_per_second) {
    return scaled(bytes_per_second < 0 ? 0 : bytes_per_second) + "/s";
}

std::string format_count(std::uint64_t count) {
    const std::string digits = std::to_string(count);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i && (digits.size() - i) % 3 == 0)
            text += ' ';
        text += digits[i];
    }
    return text;
}

}  // namespace libra
