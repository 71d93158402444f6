// SPDX-License-Identifier: GPL-2.0-only
//
// nginx's configuration as libractl doctor reads it: whatever words are cut out of a text, the
// same are cut out of them in quotes; and of any text, directives lie in its lines, in order.
#include "fuzz.h"
#include "nginx_config.h"
#include "nginx_place.h"
#include "nginx_tokens.h"

namespace {

using namespace libra::doctor;
using Kind = NginxToken::Kind;

std::string quoted(const std::string& word) {
    std::string out = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + '"';
}

// Up to what is not understood.
std::vector<NginxToken> tokens_of(std::string_view text) {
    NginxTokens tokens(text);
    std::vector<NginxToken> out;
    unsigned line = 1;
    for (;;) {
        auto token = tokens.next();
        if (!token || token->kind == Kind::end)
            return out;
        require(token->line >= line && token->line <= tokens.line(), "lines go backwards");
        line = token->line;
        out.push_back(std::move(token).value());
    }
}

std::string written(const std::vector<NginxToken>& tokens) {
    std::string out;
    for (const NginxToken& token : tokens) {
        out += token.kind == Kind::word    ? quoted(token.text)
               : token.kind == Kind::open  ? "{"
               : token.kind == Kind::close ? "}"
                                           : ";";
        out += ' ';
    }
    return out;
}

void check_block(const std::vector<NginxDirective>& block, unsigned lines) {
    unsigned line = 1;
    for (const NginxDirective& directive : block) {
        require(directive.at.line >= line && directive.at.line <= lines,
                "a directive is not where it was read");
        line = directive.at.line;
        check_block(directive.block, lines);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto first = tokens_of(text);
    const auto again = tokens_of(written(first));
    require(first.size() == again.size(), "words in quotes are cut elsewhere");
    for (std::size_t i = 0; i < first.size(); i++)
        require(first[i].kind == again[i].kind && first[i].text == again[i].text,
                "words in quotes are others");

    unsigned lines = 1;
    for (const char c : text)
        lines += c == '\n';
    // Includes itself where the text says so.
    const NginxConfig config = read_nginx_config(MemoryFiles({{"/e/n", text}}), "/e/n");
    if (config.problems.empty() && text.find("include") == std::string::npos)
        check_block(config.main, lines);
    nginx_places(config);
    if (is_nginx_dump(text))
        nginx_places(read_nginx_dump(text));
    return 0;
}
