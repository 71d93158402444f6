// SPDX-License-Identifier: GPL-2.0-only
// Payload memory, or with --plain ordinary memory in its place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace libra::test {

inline constexpr std::size_t kPage = 4096;

enum class Kind { kPayload, kOrdinary };

class Arena {
  public:
    explicit Arena(std::size_t size, Kind kind = Kind::kPayload, std::uint32_t flags = 0);
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena();

    char* data() const { return data_; }
    char* at(std::size_t offset) const { return data_ + offset; }
    std::size_t size() const { return size_; }
    bool is_payload() const { return payload_; }

    // Zeros again, with no page.
    void discard(std::size_t offset, std::size_t size) const;
    void discard() const { discard(0, size_); }
    // Somebody else unmaps it, or has done so.
    void forget() { data_ = nullptr; }

  private:
    char* data_ = nullptr;
    std::size_t size_;
    bool payload_;
};

// The file descriptors of /dev/libra and of an arena; -1 and errno.
int open_device();
int new_arena(int device, std::uint64_t size, std::uint32_t flags = 0, std::uint32_t reserved = 0);
int discard_range(int device, std::uint64_t address, std::uint64_t size);

// That something became lazy since it was made, or the case proves nothing.
class LazyProof {
  public:
    LazyProof();
    void require_some(std::uint64_t at_least = 1) const;

  private:
    std::uint64_t before_ = 0;
};

}  // namespace libra::test
