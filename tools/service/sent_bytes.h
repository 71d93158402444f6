// SPDX-License-Identifier: GPL-2.0-only
// How many bytes some processes send over TCP: what is open is looked at again and again, and what
// ended in between is told by the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "tcp_diag.h"

namespace libra::service {

class SentBytes {
  public:
    // @inodes: the sockets of the processes. The first look is where counting begins. A connection
    // that came and went between two looks counts if one of their listeners has accepted it; who
    // has opened one, and closed it again, nobody can tell.
    void look(std::span<const DiagSocket> ended, std::span<const DiagSocket> open,
              const std::set<std::uint64_t>& inodes);

    std::uint64_t total() const { return total_; }

  private:
    bool accepted(const DiagSocket& socket) const;

    std::map<std::uint64_t, std::uint64_t> known_;  // by cookie: what each had sent
    std::vector<Endpoint> listeners_;
    std::uint64_t total_ = 0;
    bool begun_ = false;
};

}  // namespace libra::service
