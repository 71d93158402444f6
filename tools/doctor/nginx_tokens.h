// SPDX-License-Identifier: GPL-2.0-only
// The words of an nginx configuration, cut as nginx cuts them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "error.h"

namespace libra::doctor {

struct NginxToken {
    enum class Kind { word, open, close, semicolon, end };

    Kind kind = Kind::end;
    std::string text;   // of a word, without quotes and escapes
    unsigned line = 0;  // where it begins
};

// Views the text, which has to outlive it. What it complains of begins with no file's name;
// line() says where that was.
class NginxTokens {
  public:
    explicit NginxTokens(std::string_view text) : text_(text) {}

    Result<NginxToken> next();

    // The rest of a block of Lua, up to and with the brace that ends it, when its opening brace
    // was the last token: braces in its strings and comments do not count.
    Result<std::string> lua_block();

    unsigned line() const { return line_; }

  private:
    bool at_end() const { return at_ == text_.size(); }
    char peek() const { return text_[at_]; }
    char take();
    void skip_space_and_comments();
    Result<NginxToken> quoted_word(char quote);
    Result<NginxToken> plain_word();
    void take_escape(std::string& out);

    bool lua_long_bracket();
    bool lua_string(char quote);
    bool lua_comment();

    std::string_view text_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    bool behind_quotes_ = false;  // where only a space, ; { or ) may follow
};

}  // namespace libra::doctor
