// SPDX-License-Identifier: GPL-2.0-only
// Streams of bytes of which each depends on its position, and on the stream's number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace libra::test {

void put_pattern(char* to, std::size_t size, std::uint64_t stream, std::uint64_t position = 0);
std::string pattern(std::size_t size, std::uint64_t stream, std::uint64_t position = 0);
char pattern_byte(std::uint64_t stream, std::uint64_t position);

// Where the first byte is that is not of the stream; size if there is none.
std::size_t first_wrong(const char* memory, std::size_t size, std::uint64_t stream,
                        std::uint64_t position = 0);

// These throw Failed, with the place and both bytes.
void require_pattern(const char* memory, std::size_t size, std::uint64_t stream,
                     std::uint64_t position, const std::string& what);
void require_bytes(const char* memory, std::size_t size, char value, const std::string& what);
void require_same(const std::string& got, const std::string& expected, const std::string& what);

}  // namespace libra::test
