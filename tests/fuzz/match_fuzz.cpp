// SPDX-License-Identifier: GPL-2.0-only
//
// libra_match() finds what a search byte by byte finds, in any alignment, and
// reads nothing behind its range.
#include <cstring>
#include <memory>
#include <set>

#include "fuzz.h"
#include "shim/kernel.h"
#include "shim/random.h"

namespace {

constexpr std::size_t kMagic = 8;

std::uint32_t plain_match(const std::string& text, const std::uint8_t* magic) {
    const std::string_view wanted(reinterpret_cast<const char*>(magic), kMagic);
    for (std::size_t at = 0; at < text.size(); at++)
        if (wanted.starts_with(std::string_view(text).substr(at, kMagic)))
            return static_cast<std::uint32_t>(at);
    return static_cast<std::uint32_t>(text.size());
}

}  // namespace

// An input: 8 bytes that the magic is made from, one for the alignment, and the
// text, in which a byte 0xf0 + n stands for the first n bytes of the magic, and
// 0xfb + n for its first byte changed in one bit.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < kMagic + 1)
        return 0;
    set_random_bytes(data, kMagic);
    libra_vpi_init();
    const std::uint8_t* magic = libra_vpi_magic();
    require(std::set<std::uint8_t>(magic, magic + kMagic).size() == kMagic && magic[0] & 0x80,
            "a magic in which a byte occurs twice");

    std::string text;
    for (std::size_t i = kMagic + 1; i < size; i++) {
        if (data[i] >= 0xf1 && data[i] <= 0xf8)
            text.append(reinterpret_cast<const char*>(magic), data[i] - 0xf0);
        else if (data[i] >= 0xfb)
            text += static_cast<char>(magic[0] ^ 1 << (data[i] - 0xfb));
        else
            text += static_cast<char>(data[i]);
    }

    // Ends where the allocation does, for the address sanitizer.
    const std::size_t skip = data[kMagic] % 8;
    const auto memory = std::make_unique<std::uint8_t[]>(skip + text.size());
    std::memcpy(memory.get() + skip, text.data(), text.size());
    require(libra_match(memory.get() + skip, static_cast<std::uint32_t>(text.size())) ==
                plain_match(text, magic),
            "libra_match() found something else");
    return 0;
}
