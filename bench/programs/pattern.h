// SPDX-License-Identifier: GPL-2.0-only
// The payload of every benchmark: a body of N bytes is the first N of these.
// Pseudo-random, so that nothing on the way can compress or deduplicate it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "hostile/common/blob.h"

namespace libra::bench {

constexpr std::size_t kPatternSize = 16 * 1024 * 1024;

// At least its first `size` bytes.
inline test::Blob make_pattern(std::size_t size) {
    return {(size + 7) / 8 * 8, 0x6c69627261};
}

// `body` in chunked framing, without the last chunk.
inline std::string in_chunks(std::string_view body, std::size_t chunk) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string framed;
    framed.reserve(body.size() + (body.size() / chunk + 1) * 12);
    while (!body.empty()) {
        const auto part = body.substr(0, chunk);
        std::string size;
        for (std::size_t left = part.size(); left > 0; left /= 16)
            size.insert(size.begin(), digits[left % 16]);
        framed.append(size).append("\r\n").append(part).append("\r\n");
        body.remove_prefix(part.size());
    }
    return framed;
}

constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace libra::bench
