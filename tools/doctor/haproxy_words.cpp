// SPDX-License-Identifier: GPL-2.0-only
#include "haproxy_words.h"

#include <optional>

namespace libra::doctor {
namespace {

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return {};
}

class Splitter {
  public:
    explicit Splitter(std::string_view line) : rest_(line) {}

    Result<std::vector<std::string>> split() {
        while (!rest_.empty()) {
            const char c = take();
            if (quote_ == '\'') {
                if (c == '\'')
                    quote_ = 0;
                else
                    word_ += c;
            } else if (c == '\\') {
                if (auto status = escape(); !status)
                    return status.error();
            } else if (quote_ == '"') {
                if (c == '"')
                    quote_ = 0;
                else
                    word_ += c;
            } else if (c == '"' || c == '\'') {
                quote_ = c;
                in_word_ = true;
            } else if (c == '#') {
                break;
            } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
                end_word();
            } else {
                word_ += c;
                in_word_ = true;
            }
        }
        if (quote_)
            return Error("quotes without an end");
        end_word();
        return std::move(words_);
    }

  private:
    char take() {
        const char c = rest_[0];
        rest_.remove_prefix(1);
        return c;
    }

    void end_word() {
        if (in_word_)
            words_.push_back(std::move(word_));
        word_.clear();
        in_word_ = false;
    }

    // Behind the backslash, in double quotes or outside of quotes.
    Status escape() {
        in_word_ = true;
        if (rest_.empty()) {
            word_ += '\\';
            return Ok{};
        }
        const char c = take();
        if (std::string_view("\\\"'# \t$").find(c) != std::string_view::npos) {
            word_ += c;
        } else if (c == 'r') {
            word_ += '\r';
        } else if (c == 'n') {
            word_ += '\n';
        } else if (c == 't') {
            word_ += '\t';
        } else if (c == 'x') {
            const auto high = rest_.empty() ? std::nullopt : hex_digit(rest_[0]);
            const auto low = rest_.size() < 2 ? std::nullopt : hex_digit(rest_[1]);
            if (!high || !low)
                return Error("\\x without two hexadecimal digits");
            rest_.remove_prefix(2);
            word_ += static_cast<char>(*high << 4 | *low);
        } else {
            word_ += '\\';
            word_ += c;
        }
        return Ok{};
    }

    std::string_view rest_;
    std::vector<std::string> words_;
    std::string word_;
    bool in_word_ = false;
    char quote_ = 0;
};

}  // namespace

Result<std::vector<std::string>> split_haproxy_line(std::string_view line) {
    return Splitter(line).split();
}

}  // namespace libra::doctor
