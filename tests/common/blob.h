// SPDX-License-Identifier: GPL-2.0-only
// Bytes to send as payload. Every body is a slice of them, so that comparing is
// one memcmp and no two bodies need be alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "random.h"

namespace libra::test {

class Blob {
  public:
    Blob(std::size_t size, std::uint64_t seed) : bytes_(size, '\0') {
        Random random(seed);
        for (std::size_t at = 0; at + 8 <= size; at += 8) {
            const std::uint64_t word = random.next();
            std::memcpy(bytes_.data() + at, &word, sizeof(word));
        }
    }

    // Beginnings of a magic, never a whole one: what a matcher has to doubt.
    void sow(std::string_view magic, std::uint64_t seed) {
        Random random(seed);
        for (std::size_t at = 0; at + 2 * magic.size() < bytes_.size();
             at += random.between(magic.size(), 1000)) {
            const std::size_t length = random.between(1, magic.size() - 1);
            std::memcpy(bytes_.data() + at, magic.data(), length);
            bytes_[at + length] = static_cast<char>(magic[length] ^ 0x55);
        }
    }

    std::size_t size() const { return bytes_.size(); }
    std::string_view all() const { return bytes_; }
    std::string_view slice(std::size_t at, std::size_t length) const {
        return std::string_view(bytes_).substr(at, length);
    }

  private:
    std::string bytes_;
};

}  // namespace libra::test
