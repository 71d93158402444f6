// SPDX-License-Identifier: GPL-2.0-only
// Origins that send whatever is taken, and clients that look at each byte. They have a process
// and a session of their own, see storm_shared.h.
#pragma once

#include <sys/types.h>

#include "common/fd.h"
#include "storm_shared.h"

namespace libra::test {

class StormPeers {
  public:
    // Forks; `origin` is listening, and of use to the peers only.
    StormPeers(const StormOptions& options, StormShared& shared, Fd origin, const Fd& not_theirs);
    StormPeers(const StormPeers&) = delete;
    StormPeers& operator=(const StormPeers&) = delete;
    ~StormPeers();

    // They end by themselves when all connections have, behind StormShared::over. False if they
    // do not within `seconds`.
    bool wait(double seconds);
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
};

}  // namespace libra::test
