// SPDX-License-Identifier: GPL-2.0-only
#include "nginx_tokens.h"

#include <fmt/format.h>

namespace libra::doctor {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

using Kind = NginxToken::Kind;

}  // namespace

char NginxTokens::take() {
    const char c = text_[at_++];
    line_ += c == '\n';
    return c;
}

void NginxTokens::skip_space_and_comments() {
    while (!at_end()) {
        if (is_space(peek())) {
            take();
        } else if (peek() == '#') {
            while (!at_end() && peek() != '\n')
                take();
        } else {
            return;
        }
    }
}

// Behind the backslash. nginx knows six escapes, and leaves what is none as it is.
void NginxTokens::take_escape(std::string& out) {
    if (at_end()) {
        out += '\\';
        return;
    }
    const char c = take();
    switch (c) {
        case '"':
        case '\'':
        case '\\':
            out += c;
            break;
        case 't':
            out += '\t';
            break;
        case 'r':
            out += '\r';
            break;
        case 'n':
            out += '\n';
            break;
        default:
            out += '\\';
            out += c;
    }
}

Result<NginxToken> NginxTokens::quoted_word(char quote) {
    NginxToken token{Kind::word, "", line_};
    take();
    while (!at_end()) {
        const char c = take();
        if (c == quote) {
            behind_quotes_ = true;
            return token;
        }
        if (c == '\\')
            take_escape(token.text);
        else
            token.text += c;
    }
    return Error(fmt::format("the quotes that begin in line {} have no end", token.line));
}

// Quotes inside of a word are no quotes, and ${ does not open a block.
Result<NginxToken> NginxTokens::plain_word() {
    NginxToken token{Kind::word, "", line_};
    bool behind_dollar = false;
    while (!at_end()) {
        const char c = peek();
        if (is_space(c) || c == ';' || (c == '{' && !behind_dollar))
            break;
        take();
        behind_dollar = c == '$';
        if (c == '\\')
            take_escape(token.text);
        else
            token.text += c;
    }
    return token;
}

Result<NginxToken> NginxTokens::next() {
    if (behind_quotes_) {
        behind_quotes_ = false;
        if (!at_end() && !is_space(peek()) && peek() != ';' && peek() != '{' && peek() != ')')
            return Error(fmt::format("unexpected \"{}\" behind quotes", peek()));
    }
    skip_space_and_comments();
    const unsigned line = line_;
    if (at_end())
        return NginxToken{Kind::end, "", line};
    switch (peek()) {
        case ';':
            take();
            return NginxToken{Kind::semicolon, "", line};
        case '{':
            take();
            return NginxToken{Kind::open, "", line};
        case '}':
            take();
            return NginxToken{Kind::close, "", line};
        case '"':
        case '\'':
            return quoted_word(peek());
        default:
            return plain_word();
    }
}

// [[ ]], [=[ ]=] and so on, at its first bracket. Without the second there is none.
bool NginxTokens::lua_long_bracket() {
    std::size_t level = at_ + 1;
    while (level < text_.size() && text_[level] == '=')
        ++level;
    if (level == text_.size() || text_[level] != '[') {
        take();
        return true;
    }
    const std::string closing = "]" + std::string(level - at_ - 1, '=') + "]";
    const std::size_t end = text_.find(closing, level + 1);
    if (end == std::string_view::npos)
        return false;
    while (at_ < end + closing.size())
        take();
    return true;
}

bool NginxTokens::lua_string(char quote) {
    take();
    while (!at_end()) {
        const char c = take();
        if (c == quote)
            return true;
        if (c == '\\' && !at_end())
            take();
    }
    return false;
}

// At the first of two dashes.
bool NginxTokens::lua_comment() {
    take();
    take();
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("[[") || rest.starts_with("[="))
        return lua_long_bracket();
    while (!at_end() && peek() != '\n')
        take();
    return true;
}

Result<std::string> NginxTokens::lua_block() {
    const std::size_t begin = at_;
    const unsigned first = line_;
    unsigned depth = 1;
    bool closed = true;
    while (closed && !at_end()) {
        const char c = peek();
        if (c == '"' || c == '\'') {
            closed = lua_string(c);
        } else if (c == '[') {
            closed = lua_long_bracket();
        } else if (text_.substr(at_).starts_with("--")) {
            closed = lua_comment();
        } else {
            take();
            depth += c == '{';
            depth -= c == '}';
            if (depth == 0)
                return std::string(text_.substr(begin, at_ - begin - 1));
        }
    }
    return Error(fmt::format("the Lua that begins in line {} has no end", first));
}

}  // namespace libra::doctor
