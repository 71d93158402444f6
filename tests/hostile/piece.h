// SPDX-License-Identifier: GPL-2.0-only
// A piece of the forwarder's memory, twice: as it is, and as it would be if every
// recv() had copied natively. Whatever is done to the one is done to the other, so
// the second says what a peer has to get.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace libra::test {

struct Piece {
    std::string real;
    std::string native;

    static Piece own(const std::string& bytes) { return {bytes, bytes}; }

    std::size_t size() const { return real.size(); }
    bool empty() const { return real.empty(); }
    Piece part(std::size_t at, std::size_t length = std::string::npos) const {
        return {real.substr(at, length), native.substr(at, length)};
    }
    void append(const Piece& other) {
        real += other.real;
        native += other.native;
    }
};

constexpr std::size_t kVpiSize = 32;
constexpr std::size_t kIdSize = 16;  // the magic, and which anchor it is
constexpr std::size_t kMagicSize = 8;
// So many bytes of a magic may be chance: LIBRA_VPI_CHANCE in the kernel. More are
// a VPI, and a fail-stop where none belongs.
constexpr std::size_t kChance = 4;
// What memory holds before a read; nothing else contains it.
constexpr std::string_view kStale = "<stale!>";

}  // namespace libra::test
