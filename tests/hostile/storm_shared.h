// SPDX-License-Identifier: GPL-2.0-only
// What the proxy and its peers tell each other. They are two processes: Libra takes all that a
// proxy's session uses for the proxy's, and would anchor nothing for one that has the origins'
// ends as well.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <string_view>

#include "common/error.h"
#include "piece.h"

namespace libra::test {

struct StormOptions {
    std::uint16_t listen = 8101;  // the proxy's port, attached
    std::uint16_t origin = 8001;  // the origins' port, attached
    unsigned threads = 8;
    unsigned upstreams = 3;
    unsigned clients = 4;
    double seconds = 20;
    std::uint64_t seed = 1;
    bool plain = false;
    bool ktls = false;  // kernel TLS encrypts what origins and the proxy send
};

// What origins send until the magic is known: no VPI begins like that.
constexpr char kLesson = 'a';
constexpr std::size_t kLessonSize = 65536;

struct StormShared {
    std::array<char, kMagicSize> magic = {};
    std::atomic<bool> learned = false;  // the magic is there
    std::atomic<bool> over = false;     // no more connections
    std::atomic<std::uint64_t> received = 0;
    std::atomic<std::uint64_t> wrong = 0;
    std::atomic<std::uint64_t> late = 0;
    std::atomic<std::uint64_t> connections = 0;
    std::atomic<std::uint64_t> resets = 0;
    std::atomic<std::uint64_t> left = 0;  // by clients, in the middle

    std::string_view magic_bytes() const { return {magic.data(), magic.size()}; }
};

class StormMemory {
  public:
    StormMemory()
        : at_(::mmap(nullptr, sizeof(StormShared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (at_ == MAP_FAILED)
            throw Error::from_errno("mmap");
        shared_ = new (at_) StormShared;
    }
    StormMemory(const StormMemory&) = delete;
    StormMemory& operator=(const StormMemory&) = delete;
    ~StormMemory() { ::munmap(at_, sizeof(StormShared)); }

    StormShared& operator*() const { return *shared_; }
    StormShared* operator->() const { return shared_; }

  private:
    void* at_;
    StormShared* shared_ = nullptr;
};

}  // namespace libra::test
