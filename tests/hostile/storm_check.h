// SPDX-License-Identifier: GPL-2.0-only
// Looks at each byte of a stream in which all are 0x80 or more: a VPI, zeros and stale memory
// are not.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/hex.h"
#include "piece.h"

namespace libra::test {

// The first byte below 0x80, or npos.
inline std::size_t find_low(std::string_view bytes, std::size_t from = 0) {
    std::uint64_t word = 0;
    std::size_t at = from;
    for (; at + sizeof(word) <= bytes.size(); at += sizeof(word)) {
        std::memcpy(&word, bytes.data() + at, sizeof(word));
        if ((~word & 0x8080808080808080) != 0)
            break;
    }
    for (; at < bytes.size(); ++at)
        if ((static_cast<unsigned char>(bytes[at]) & 0x80) == 0)
            return at;
    return std::string_view::npos;
}

class StormCheck {
  public:
    explicit StormCheck(std::string_view magic) : magic_(magic) {}

    void feed(std::string_view bytes) {
        for (auto at = find_low(bytes); at != bytes.npos; at = find_low(bytes, at + 1)) {
            if (is_chance(bytes, at)) {
                ++late_;
                continue;
            }
            if (wrong_++ == 0)
                describe(bytes, at);
        }
        const std::size_t kept = std::min(bytes.size(), kKept);
        before_.append(bytes.substr(bytes.size() - kept));
        before_.erase(0, before_.size() - std::min(before_.size(), kKept));
        received_ += bytes.size();
    }

    std::uint64_t received() const { return received_; }
    std::uint64_t wrong() const { return wrong_; }
    std::uint64_t late() const { return late_; }  // see is_chance()
    const std::string& complaint() const { return complaint_; }

  private:
    static constexpr std::size_t kKept = 32;
    static constexpr std::size_t kShown = 64;

    // Of a VPI that was cut in its first bytes these may have been sent before anybody could
    // know: KNOWN_ISSUES.md.
    bool is_chance(std::string_view bytes, std::size_t at) const {
        std::string last = before_.substr(before_.size() - std::min(before_.size(), kChance));
        last += bytes.substr(at - std::min(at, kChance), std::min(at, kChance) + 1);
        if (at >= kChance)
            last.erase(0, last.size() - kChance);
        for (std::size_t length = 1; length <= std::min(kChance, last.size()); ++length)
            if (last.ends_with(magic_.substr(0, length)))
                return true;
        return false;
    }

    void describe(std::string_view bytes, std::size_t at) {
        const std::size_t back = std::min(at, kKept);
        const std::string behind = before_ + std::string(bytes.substr(at - back, back));
        complaint_ = "at offset " + std::to_string(received_ + at) + ": behind " +
                     hex(behind.substr(behind.size() - std::min(behind.size(), kKept))) + " came " +
                     hex(bytes.substr(at, kShown));
    }

    std::string_view magic_;
    std::string before_;  // the last bytes of what came earlier
    std::uint64_t received_ = 0;
    std::uint64_t wrong_ = 0;
    std::uint64_t late_ = 0;
    std::string complaint_;
};

}  // namespace libra::test
