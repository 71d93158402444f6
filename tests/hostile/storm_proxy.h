// SPDX-License-Identifier: GPL-2.0-only
// The proxy of the storm: threads that share connections, memory and what is to be sent.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "common/random.h"
#include "storm_pool.h"
#include "storm_shared.h"

namespace libra::test {

struct StormTally {
    std::atomic<std::uint64_t> receives = 0;
    std::atomic<std::uint64_t> ranges = 0;
    std::atomic<std::uint64_t> peeks = 0;
    std::atomic<std::uint64_t> false_peeks = 0;  // other bytes than the origin's
    std::atomic<std::uint64_t> sends = 0;
    std::atomic<std::uint64_t> together = 0;  // begun while another one was on the same socket
    std::atomic<std::uint64_t> twice = 0;     // the same range, on two sockets at once
    std::atomic<std::uint64_t> rests = 0;     // sent by whoever took them
    std::atomic<std::uint64_t> left_out = 0;  // rests, because others had come between
    std::atomic<std::uint64_t> failed = 0;    // sends
    std::atomic<std::uint64_t> shut = 0;
    std::atomic<std::uint64_t> dropped = 0;
    std::atomic<std::uint64_t> aborted = 0;  // upstreams, by a close() that resets
    std::atomic<std::uint64_t> client_aborts = 0;
    std::atomic<std::uint64_t> dups = 0;
    std::atomic<std::uint64_t> forks = 0;
};

// A slot of memory goes back when the last range in it does.
using StormSlot = std::shared_ptr<char>;

class StormSlots {
  public:
    static constexpr std::size_t kSize = 80'000;  // neighbours share a page

    explicit StormSlots(std::size_t count);
    StormSlot take();  // none, if all are in use

  private:
    std::mutex lock_;
    std::string memory_;
    std::vector<char*> free_;
};

struct StormRange {
    StormSlot slot;
    std::size_t at;
    std::size_t length;
};

struct StormJob {
    std::vector<StormRange> ranges;
    StormLink rest_of;                          // the beginning was sent there
    std::shared_ptr<std::atomic<int>> meeting;  // with whoever sends the same

    std::size_t size() const;
    void sent(std::size_t count);  // takes that away from the front
};

class StormQueue {
  public:
    void put(StormJob job);
    void put_first(StormJob job);
    std::optional<StormJob> take(Random& random);  // one of the first ones
    void clear();

  private:
    std::mutex lock_;
    std::deque<StormJob> jobs_;
};

class StormProxy {
  public:
    StormProxy(const StormOptions& options, StormShared& shared, const Fd& listener);
    StormProxy(const StormProxy&) = delete;
    StormProxy& operator=(const StormProxy&) = delete;

    // The magic of this kernel's VPIs, as a proxy can see it.
    void learn() const;
    void start();
    // False if some do not end in time: then their calls hang, and so would a destructor.
    bool stop(double seconds);

    const StormTally& tally() const { return tally_; }
    std::string doing() const;  // what each thread is at

  private:
    enum Doing : int { kNothing, kReceive, kSend, kMeet, kDisturb, kFork, kEnded };

    class Worker;

    Fd connect_upstream() const;

    StormOptions options_;
    StormShared& shared_;
    StormTally tally_;
    StormPool upstreams_;
    StormPool clients_;
    StormSlots slots_;
    StormQueue queue_;
    std::atomic<bool> stop_ = false;
    std::vector<std::atomic<int>> doing_;
    std::vector<std::jthread> threads_;
};

}  // namespace libra::test
