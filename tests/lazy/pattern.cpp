// SPDX-License-Identifier: GPL-2.0-only
#include "pattern.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "frame.h"

namespace libra::test {
namespace {

// SplitMix64 of a counter
std::uint64_t word_of(std::uint64_t stream, std::uint64_t index) {
    std::uint64_t z = (stream << 40) + (index + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

[[noreturn]] void wrong(const std::string& what, std::size_t at, std::size_t size, char got,
                        char expected) {
    std::ostringstream text;
    text << what << ": byte " << at << " of " << size << " is 0x" << std::hex << (got & 0xff)
         << ", expected 0x" << (expected & 0xff);
    throw Failed(text.str());
}

}  // namespace

char pattern_byte(std::uint64_t stream, std::uint64_t position) {
    return static_cast<char>(word_of(stream, position / 8) >> 8 * (position % 8));
}

void put_pattern(char* to, std::size_t size, std::uint64_t stream, std::uint64_t position) {
    std::size_t at = 0;
    while (at < size) {
        const std::size_t skip = (position + at) % 8;
        const std::size_t count = std::min<std::size_t>(8 - skip, size - at);
        const std::uint64_t word = word_of(stream, (position + at) / 8) >> 8 * skip;
        std::memcpy(to + at, &word, count);
        at += count;
    }
}

std::string pattern(std::size_t size, std::uint64_t stream, std::uint64_t position) {
    std::string bytes(size, '\0');
    put_pattern(bytes.data(), size, stream, position);
    return bytes;
}

std::size_t first_wrong(const char* memory, std::size_t size, std::uint64_t stream,
                        std::uint64_t position) {
    std::size_t at = 0;
    while (at < size) {
        const std::size_t skip = (position + at) % 8;
        const std::size_t count = std::min<std::size_t>(8 - skip, size - at);
        const std::uint64_t word = word_of(stream, (position + at) / 8) >> 8 * skip;
        std::uint64_t found = word;
        std::memcpy(&found, memory + at, count);
        if (found != word) {
            for (std::size_t i = 0; i < count; ++i)
                if (static_cast<char>(found >> 8 * i) != static_cast<char>(word >> 8 * i))
                    return at + i;
        }
        at += count;
    }
    return size;
}

void require_pattern(const char* memory, std::size_t size, std::uint64_t stream,
                     std::uint64_t position, const std::string& what) {
    const std::size_t at = first_wrong(memory, size, stream, position);
    if (at != size)
        wrong(what, at, size, memory[at], pattern_byte(stream, position + at));
}

void require_bytes(const char* memory, std::size_t size, char value, const std::string& what) {
    for (std::size_t at = 0; at < size; ++at)
        if (memory[at] != value)
            wrong(what, at, size, memory[at], value);
}

void require_same(const std::string& got, const std::string& expected, const std::string& what) {
    require_equal(got.size(), expected.size(), what + ": bytes");
    if (got == expected)
        return;
    const auto at = static_cast<std::size_t>(
        std::mismatch(got.begin(), got.end(), expected.begin()).first - got.begin());
    wrong(what, at, got.size(), got[at], expected[at]);
}

}  // namespace libra::test
