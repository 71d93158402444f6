// SPDX-License-Identifier: GPL-2.0-only
// What reading a header takes: numbers, names without regard to case, values without blanks.
#pragma once

#include <strings.h>

#include <charconv>
#include <string_view>
#include <system_error>

namespace libra::test {

// All of the text is the number, or false; value is then of no use.
template <typename Number>
bool parse_number(std::string_view text, Number& value, int base) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && end == text.data() + text.size();
}

inline bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

inline std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

}  // namespace libra::test
