// SPDX-License-Identifier: GPL-2.0-only
// Sizes as proxies' configurations have them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace libra::doctor {

inline constexpr std::uint64_t kPage = 4096;

// "16k", "1M", "512": digits and at most one unit. Nothing for what is anything else, as are
// variables, or does not fit.
std::optional<std::uint64_t> parse_size(std::string_view text);

// The same without a unit.
std::optional<std::uint64_t> parse_number(std::string_view text);

// The largest unit that leaves no fraction, or else one digit behind the point: "64k", "1.5 GB".
std::string format_size(std::uint64_t bytes);

// Beyond what fits it is the largest there is.
std::uint64_t product(std::uint64_t a, std::uint64_t b);

}  // namespace libra::doctor
