// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <pthread.h>

#include <atomic>

namespace libra::memory {

// A mutex that may be held over fork(). The thread that forks goes through it
// meanwhile, because fork handlers of others run between ours and the fork, in
// parent and child, and may call malloc.
//
// Not std::mutex, which throws and would need libstdc++.
class ForkLock {
  public:
    constexpr ForkLock() = default;

    void lock() {
        if (!forking())
            pthread_mutex_lock(&mutex_);
    }
    bool try_lock() { return forking() || pthread_mutex_trylock(&mutex_) == 0; }
    void unlock() {
        if (!forking())
            pthread_mutex_unlock(&mutex_);
    }

    void before_fork() {
        pthread_mutex_lock(&mutex_);
        forking_.store(pthread_self(), std::memory_order_relaxed);
    }
    void after_fork() {
        forking_.store(0, std::memory_order_relaxed);
        pthread_mutex_unlock(&mutex_);
    }

  private:
    // Nobody but the thread itself can have stored its name.
    bool forking() const { return forking_.load(std::memory_order_relaxed) == pthread_self(); }

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<pthread_t> forking_{0};
};

// std::lock_guard, whose header is a large one.
class Locked {
  public:
    explicit Locked(ForkLock& lock) : lock_(lock) { lock_.lock(); }
    ~Locked() { lock_.unlock(); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    ForkLock& lock_;
};

}  // namespace libra::memory
