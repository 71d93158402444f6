// SPDX-License-Identifier: GPL-2.0-only
#include "quoted.h"

#include <charconv>

namespace libra::service {
namespace {

// What stands behind a backslash; moves @at to its last character.
char unescape(std::string_view text, std::size_t& at) {
    switch (text[at]) {
        case 'n':
            return '\n';
        case 't':
            return '\t';
        case 'r':
            return '\r';
        case 'a':
            return '\a';
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'v':
            return '\v';
        case 'x': {
            unsigned value = 0;
            const std::string_view digits = text.substr(at + 1, 2);
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
            at += digits.size();
            return static_cast<char>(value);
        }
        default:
            return text[at];
    }
}

}  // namespace

std::vector<std::string> unquote_words(std::string_view text) {
    std::vector<std::string> words;
    std::size_t at = 0;
    const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
    while (at < text.size()) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        std::string word;
        char quote = 0;
        for (; at < text.size() && (quote || !is_space(text[at])); ++at) {
            const char c = text[at];
            if (quote && c == quote) {
                quote = 0;
            } else if (!quote && c == '"') {
                quote = '"';
            } else if (!quote && text.substr(at, 2) == "$'") {
                quote = '\'';
                ++at;
            } else if (quote && c == '\\' && at + 1 < text.size()) {
                ++at;
                word += unescape(text, at);
            } else {
                word += c;
            }
        }
        words.push_back(std::move(word));
    }
    return words;
}

std::string quote_for_unit(std::string_view word) {
    std::string quoted = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        else if (c == '%')
            quoted += '%';
        quoted += c;
    }
    return quoted + '"';
}

}  // namespace libra::service
