// SPDX-License-Identifier: GPL-2.0-only
#include "size.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <limits>

namespace libra::doctor {

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return {};
    return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    if (text.empty())
        return {};
    unsigned shift = 0;
    switch (text.back()) {
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            break;
    }
    if (shift)
        text.remove_suffix(1);
    const auto value = parse_number(text);
    if (!value || *value > std::numeric_limits<std::uint64_t>::max() >> shift)
        return {};
    return *value << shift;
}

std::string format_size(std::uint64_t bytes) {
    struct Unit {
        unsigned shift;
        const char* exact;
        const char* rounded;
    };
    for (const Unit& unit : {Unit{30, "g", "GB"}, Unit{20, "m", "MB"}, Unit{10, "k", "KB"}}) {
        const std::uint64_t one = std::uint64_t{1} << unit.shift;
        if (bytes < one)
            continue;
        if (bytes % one == 0 && bytes >> unit.shift < 1024)
            return fmt::format("{}{}", bytes >> unit.shift, unit.exact);
        return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(one),
                           unit.rounded);
    }
    return fmt::format("{}", bytes);
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
    std::uint64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result))
        return std::numeric_limits<std::uint64_t>::max();
    return result;
}

}  // namespace libra::doctor
