// SPDX-License-Identifier: GPL-2.0-only
//
// A line of HAProxy's configuration as libractl doctor reads it: whatever words are cut out of a
// line, the same are cut out of them in quotes, in single ones as in double ones.
#include "fuzz.h"
#include "haproxy_config.h"
#include "haproxy_words.h"

namespace {

using namespace libra::doctor;

std::string in_double_quotes(const std::string& word) {
    std::string out = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\' || c == '$')
            out += '\\';
        out += c;
    }
    return out + '"';
}

// A single quote cannot stand in single quotes.
std::string in_single_quotes(const std::string& word) {
    std::string out = "'";
    for (const char c : word)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto words = split_haproxy_line(text.substr(0, text.find('\n')));
    if (words) {
        std::string doubled;
        std::string single;
        for (const std::string& word : *words) {
            doubled += in_double_quotes(word) + "\t";
            single += in_single_quotes(word) + " ";
        }
        for (const std::string& line : {doubled, single}) {
            const auto again = split_haproxy_line(line);
            require(again && *again == *words, "words in quotes are others");
        }
    }
    const HaproxyConfig config = read_haproxy_config(MemoryFiles({{"/h", text}}), {"/h"});
    for (const auto& section : config.sections) {
        const HaproxyPlace place(config, *section);
        require(
            place.lines().size() >= section->lines.size() || text.find("no") != std::string::npos,
            "lines are lost");
        place.forwards();
        place.is_http();
    }
    return 0;
}
