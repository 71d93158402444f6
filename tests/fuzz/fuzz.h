// SPDX-License-Identifier: GPL-2.0-only
//
// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// A property does not hold: the fuzzer keeps the input.
[[noreturn]] inline void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::abort();
}

inline void require(bool holds, const char* property) {
    if (!holds)
        fail(property);
}

// Bytes in one direction of a conversation.
struct Piece {
    bool request;
    std::string text;
};

struct Script {
    unsigned options = 0;  // the first byte
    std::vector<Piece> pieces;
};

// An input is a byte of options and then pieces, each behind "\xfe>" for what
// the client says or "\xfe<" for what the server does: text that a mutator, and
// who looks at a finding, can work with.
inline Script script_of(const std::uint8_t* data, std::size_t size) {
    Script script;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    if (rest.empty())
        return script;
    script.options = static_cast<unsigned char>(rest[0]);
    rest.remove_prefix(1);
    while (!rest.empty()) {
        std::size_t end = 0;
        do
            end = rest.find('\xfe', end + 1);
        while (end != std::string_view::npos && end + 1 < rest.size() && rest[end + 1] != '<' &&
               rest[end + 1] != '>');
        const std::string_view piece = rest.substr(0, end);
        if (piece.size() > 2 && piece[0] == '\xfe')
            script.pieces.push_back({piece[1] == '>', std::string(piece.substr(2))});
        rest.remove_prefix(piece.size());
    }
    return script;
}
