// SPDX-License-Identifier: GPL-2.0-only
// What the threads of the model have in common.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "common/random.h"
#include "lot.h"
#include "pin.h"

namespace libra::test {

struct Plan {
    std::uint64_t seed = 1;
    std::uint64_t operations = 25'000;
    std::size_t threads = 4;
};
Plan& plan();

// Who wants to be alone gets his turn.
class Gate {
  public:
    std::shared_lock<std::shared_mutex> enter() {
        const std::lock_guard turn(turn_);
        return std::shared_lock(inside_);
    }
    std::unique_lock<std::shared_mutex> alone() {
        const std::lock_guard turn(turn_);
        return std::unique_lock(inside_);
    }

  private:
    std::mutex turn_;
    std::shared_mutex inside_;
};

// Bytes that anybody may use who has the lock.
struct Common {
    explicit Common(const Region& bytes) : region(bytes) {}
    Region region;
    std::mutex mutex;
};

class Walker;

class World {
  public:
    World(std::size_t threads, std::uint64_t seed);
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    void run(std::uint64_t operations);

    // For who is alone in it.
    void require_all();
    void renew(std::size_t which, Random& random);

    int next_number() { return numbers_++; }
    std::uint64_t seed() const { return seed_; }
    std::size_t shared_lots() const { return shared_.size(); }

    std::function<void()> now_and_then;  // by one of the threads
    Gate gate;
    std::list<Common> commons;
    std::atomic<std::uint64_t> forks{0};
    bool rings = false;                         // there is io_uring
    std::atomic<std::uint64_t> fresh_bytes{0};  // received from TCP into payload memory
    std::atomic<std::uint64_t> sent_bytes{0};   // sent to TCP out of it
    std::atomic<std::uint64_t> pins{0};
    std::atomic<bool> failed{false};

  private:
    void cut(Lot& lot, Random& random);

    std::uint64_t seed_;
    std::atomic<int> numbers_{0};
    std::vector<std::unique_ptr<Lot>> shared_;
    std::vector<std::unique_ptr<Walker>> walkers_;
};

}  // namespace libra::test
