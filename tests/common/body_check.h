// SPDX-License-Identifier: GPL-2.0-only
// Compares a body, as it arrives, with the reference.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "common/hex.h"

namespace libra::test {

class BodyCheck {
  public:
    explicit BodyCheck(std::string_view reference) : reference_(reference) {}

    void restart() {
        received_ = 0;
        exact_ = true;
    }

    void feed(std::string_view bytes) {
        const bool fits = received_ + bytes.size() <= reference_.size();
        // memcmp first: it is the only pass over the bytes as long as they are right.
        if (exact_ &&
            !(fits && std::memcmp(bytes.data(), reference_.data() + received_, bytes.size()) == 0))
            describe(bytes);
        received_ += bytes.size();
    }

    // Call at the end of a complete body.
    bool finish() {
        if (exact_ && received_ != reference_.size()) {
            exact_ = false;
            difference_ = "the body has " + std::to_string(received_) + " bytes, not " +
                          std::to_string(reference_.size());
        }
        return exact_;
    }

    bool exact() const { return exact_; }
    std::size_t received() const { return received_; }
    std::size_t expected() const { return reference_.size(); }
    // Where the first wrong byte is and what stands there.
    const std::string& difference() const { return difference_; }

  private:
    void describe(std::string_view bytes) {
        exact_ = false;
        std::size_t at = 0;
        while (at < bytes.size() && received_ + at < reference_.size() &&
               bytes[at] == reference_[received_ + at])
            ++at;
        difference_ = "at body offset " + std::to_string(received_ + at);
        if (received_ + at >= reference_.size()) {
            difference_ += " (beyond the end): got " + hex(bytes.substr(at, kShown));
        } else {
            difference_ += ": got " + hex(bytes.substr(at, kShown)) + ", not " +
                           hex(reference_.substr(received_ + at, kShown));
        }
    }

    static constexpr std::size_t kShown = 32;

    std::string_view reference_;
    std::size_t received_ = 0;
    bool exact_ = true;
    std::string difference_;
};

}  // namespace libra::test
