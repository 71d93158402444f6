// SPDX-License-Identifier: GPL-2.0-only
// Threads of which the first complaint fails the case.
#pragma once

#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "frame.h"

namespace libra::test {

// Does this at the end of its scope, also of one that an exception leaves: it tells
// workers to stop, who would be waited for without an end.
template <typename Action>
class AtEnd {
  public:
    explicit AtEnd(Action action) : action_(std::move(action)) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() { action_(); }

  private:
    Action action_;
};

class Workers {
  public:
    Workers() = default;
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers() { wait(); }

    template <typename Work>
    void start(Work work) {
        threads_.emplace_back([this, work = std::move(work)]() mutable {
            try {
                work();
            } catch (const std::exception& error) {
                const std::lock_guard lock(mutex_);
                if (complaint_.empty())
                    complaint_ = error.what();
            }
        });
    }
    void join() {
        wait();
        if (!complaint_.empty())
            throw Failed(complaint_);
    }

  private:
    void wait() {
        for (std::thread& thread : threads_)
            thread.join();
        threads_.clear();
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::string complaint_;
};

}  // namespace libra::test
