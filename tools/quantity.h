// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>

namespace libra {

// "12.3 MB": at most four digits, powers of 1000.
std::string format_bytes(std::uint64_t bytes);
// "12M", for columns that are narrow.
std::string format_short(std::uint64_t bytes);
// As format_bytes() for "1.2 GB/s".
std::string format_rate(double bytes_per_second);
// "1 234 567"
std::string format_count(std::uint64_t count);

}  // namespace libra
