// SPDX-License-Identifier: GPL-2.0-only
//
// A VPI is accepted as it was minted, in its domain, and as nothing else.
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>

#include "fuzz.h"
#include "shim/kernel.h"
#include "shim/random.h"

namespace {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    template <typename T>
    T take() {
        T value{};
        const std::size_t n = std::min(sizeof(value), size_);
        std::memcpy(&value, data_, n);
        data_ += n;
        size_ -= n;
        return value;
    }
    bool empty() const { return size_ == 0; }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
};

struct Token {
    u8 bytes[LIBRA_VPI_SIZE];
};

bool reads(const Token& token, u64 cookie) {
    u64 id = 0;
    u32 len = 0;
    return libra_vpi_read(token.bytes, cookie, &id, &len);
}

}  // namespace

// An input: cookie, id and length of an anchor, another cookie, 32 bytes of a
// forger, and changes to the token. What is random (magic and key) depends on
// all of it, or the fuzzer would learn a token in one run and replay it in the
// next.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::mt19937 random(static_cast<unsigned>(
        std::hash<std::string_view>()({reinterpret_cast<const char*>(data), size})));
    std::array<u8, 64> bytes;
    for (u8& byte : bytes)
        byte = static_cast<u8>(random());
    set_random_bytes(bytes.data(), bytes.size());
    libra_vpi_init();
    Input input(data, size);

    libra_domain dom = {.cookie = input.take<u64>()};
    libra_msg msg = {.dom = &dom};
    libra_minted minted = {.msg = &msg, .id = input.take<u64>(), .anchor = {input.take<u32>()}};
    const u64 foreign = input.take<u64>();
    const Token forged = input.take<Token>();
    Token token, end;
    libra_vpi_write(token.bytes, &minted);
    libra_vpi_write_mark(end.bytes, &minted);

    u64 id = 0;
    u32 len = 0;
    require(libra_vpi_read(token.bytes, dom.cookie, &id, &len) && id == minted.id &&
                len == minted.anchor.len,
            "a VPI that was not accepted as it was minted");
    require(libra_vpi_id(token.bytes) == minted.id && libra_vpi_id(end.bytes) == minted.id,
            "a token of another anchor");
    require(libra_vpi_is_mark(end.bytes, dom.cookie), "a mark that was not accepted");
    require(!std::memcmp(token.bytes, libra_vpi_magic(), LIBRA_VPI_MAGIC_SIZE) &&
                !std::memcmp(end.bytes, libra_vpi_magic(), LIBRA_VPI_MAGIC_SIZE),
            "a token without magic, which the matcher would not find");
    require(!libra_vpi_is_mark(token.bytes, dom.cookie), "a VPI taken for a mark");
    require(!reads(end, dom.cookie), "a mark taken for a VPI");
    if (foreign != dom.cookie)
        require(!reads(token, foreign) && !libra_vpi_is_mark(end.bytes, foreign),
                "a token of another domain");

    // What is not authenticated is the magic alone.
    constexpr std::size_t kOpen = LIBRA_VPI_MAGIC_SIZE;
    const auto same = [&](const Token& a, const Token& b) {
        return !std::memcmp(a.bytes + kOpen, b.bytes + kOpen, LIBRA_VPI_SIZE - kOpen);
    };
    require(!reads(forged, dom.cookie), "a forged token");
    Token changed = token;
    while (!input.empty()) {
        const unsigned bit = input.take<u8>();
        changed.bytes[bit / 8] ^= 1U << bit % 8;
        require(same(changed, token) || !reads(changed, dom.cookie), "a token that was changed");
    }
    return 0;
}
