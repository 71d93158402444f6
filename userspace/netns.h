// SPDX-License-Identifier: GPL-2.0-only
// A network namespace other than librad's: containers have their own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "error.h"
#include "unique_fd.h"

namespace libra {

// Cheap to copy. Keeps the namespace, and with it its connections' policies, alive.
class Netns {
  public:
    // The one that this process is in.
    static Result<Netns> own();
    // By its file, such as /run/netns/blue or /proc/PID/ns/net.
    static Result<Netns> open(const std::string& path);
    // Own, known by this number; for tests.
    static Netns own_with_cookie(std::uint64_t cookie) { return Netns(cookie, nullptr); }

    std::uint64_t cookie() const { return cookie_; }

    // Calls @what inside of it: in a thread of its own, if it is not the own one, that has
    // ended at return. Iterators and /proc/sys/net are then those of the namespace; for
    // /proc/net that is /proc/thread-self/net.
    Status run(const std::function<Status()>& what) const;

  private:
    Netns(std::uint64_t cookie, std::shared_ptr<const UniqueFd> fd)
        : cookie_(cookie), fd_(std::move(fd)) {}

    std::uint64_t cookie_;
    std::shared_ptr<const UniqueFd> fd_;  // none: the own one
};

}  // namespace libra
