// SPDX-License-Identifier: GPL-2.0-only
// The payload of every benchmark: pseudo-random, so that nothing on the way can compress
// or deduplicate it. Body 0 of N bytes is the first N of these; each other body begins
// somewhere else, so that bytes of one do not pass for those of another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/blob.h"

namespace libra::bench {

constexpr std::size_t kMostBytes = 16 * 1024 * 1024;  // of a body
constexpr std::uint64_t kBodies = 1024;
// No two bodies have the same bytes at places that are whole pages apart: a page that was
// left from another body is wrong wherever it turns up.
constexpr std::size_t kBodyStep = 4099;

inline std::size_t begin_of(std::uint64_t body) {
    return body % kBodies * kBodyStep;
}

// Holds the bodies before `bodies`, of up to `size` bytes each.
inline test::Blob make_pattern(std::size_t size, std::uint64_t bodies) {
    return {(begin_of(bodies - 1) + size + 7) / 8 * 8, 0x6c69627261};
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
