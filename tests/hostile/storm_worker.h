// SPDX-License-Identifier: GPL-2.0-only
// One thread of the storm's proxy.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <vector>

#include "storm_proxy.h"

namespace libra::test {

class StormProxy::Worker {
  public:
    Worker(StormProxy& proxy, unsigned number);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker();
    void run();

  private:
    bool receive();  // whether there was anything to do
    bool peek(const StormLink& upstream, char* memory, std::size_t size);
    ssize_t receive_into(const StormLink& upstream, std::vector<iovec>& parts);
    bool deliver();
    void send(StormJob job, const StormLink& client, const StormConnection::Turn& turn);
    void send_twice(StormJob& job);
    void meet(std::atomic<int>& meeting);
    void disturb();
    void use_copy(const StormLink& link);
    void fork();
    void reap(bool wait);

    StormProxy& proxy_;
    StormTally& tally_;
    std::atomic<int>& doing_;
    Random random_;
    Fd copy_;  // of some connection's, which thereby lives longer
    std::vector<pid_t> children_;
};

}  // namespace libra::test
