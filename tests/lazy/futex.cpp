// SPDX-License-Identifier: GPL-2.0-only
// Futexes in payload memory are those of one process, as in private memory.
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <ctime>
#include <string>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 64 << 10;

long futex(std::uint32_t* word, int operation, std::uint32_t value, int milliseconds = 10'000) {
    const timespec limit = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1'000'000L};
    return ::syscall(SYS_futex, word, operation, value, &limit, nullptr, 0);
}

long wake(std::uint32_t* word, int operation) {
    return ::syscall(SYS_futex, word, operation, 1, nullptr, nullptr, 0);
}

void wait_and_wake(std::uint32_t* word, int flag) {
    Workers workers;
    std::atomic<bool> woken{false};
    workers.start([&] {
        require_call(futex(word, FUTEX_WAIT | flag, *word) == 0, "FUTEX_WAIT");
        woken = true;
    });
    long count = 0;
    for (int turn = 0; turn < 5000 && count == 0; ++turn) {
        ::usleep(1000);
        count = wake(word, FUTEX_WAKE | flag);
    }
    workers.join();
    require_equal(count, 1L, "who was woken");
    require(woken, "the waiter does not say so");
}

CASE(futex_of_a_process) {
    const Arena memory(kRoom);
    const Link link;
    for (const int flag : {FUTEX_PRIVATE_FLAG, 0}) {
        wait_and_wake(reinterpret_cast<std::uint32_t*>(memory.at(256)), flag);
        // In a page that is lazy until the futex is looked at.
        receive_pattern(link, memory.data(), 8 * kPage, 1);
        wait_and_wake(reinterpret_cast<std::uint32_t*>(memory.at(3 * kPage + 64)), flag);
        require_pattern(memory.data(), 8 * kPage, 1, 0, "around it");
    }
}

// A sleeper is found again where the page was lazy in between.
CASE(futex_after_receiving) {
    const Arena memory(kRoom);
    const Link link;
    auto* word = reinterpret_cast<std::uint32_t*>(memory.at(3 * kPage));
    for (const int flag : {FUTEX_PRIVATE_FLAG, 0}) {
        *word = 7;
        Workers workers;
        workers.start([&] { require_call(futex(word, FUTEX_WAIT | flag, 7) == 0, "FUTEX_WAIT"); });
        ::usleep(200'000);
        receive_pattern(link, memory.data(), 8 * kPage, 1);
        const long count = wake(word, FUTEX_WAKE | flag);
        if (count == 0)  // the sleeper is not to be kept until its time is over
            require_pattern(memory.data(), 8 * kPage, 1, 0, "around it");
        workers.join();
        require_equal(count, 1L, "who was woken");
    }
}

// After a fork it is another process's memory: no wake reaches it.
CASE(futex_after_fork) {
    const Arena memory(kRoom);
    const Link link;
    for (const int flag : {FUTEX_PRIVATE_FLAG, 0})
        for (const bool lazy : {false, true}) {
            auto* word = reinterpret_cast<std::uint32_t*>(memory.at(2 * kPage + 8));
            *word = 5;
            if (lazy)
                receive_pattern(link, memory.data(), 8 * kPage, 1);
            const std::uint32_t value = *word;
            Child child([&] {
                require_equal(futex(word, FUTEX_WAIT | flag, value, 600), -1L, "FUTEX_WAIT");
                require_equal(std::string(std::strerror(errno)), std::strerror(ETIMEDOUT),
                              "FUTEX_WAIT in the child");
            });
            long count = 0;
            for (int turn = 0; turn < 15; ++turn) {
                ::usleep(20'000);
                count += wake(word, FUTEX_WAKE | flag);
            }
            child.wait("the child");
            require_equal(count, 0L, "the parent woke the child");

            // And the other way round.
            Workers workers;
            workers.start([&] {
                require_equal(futex(word, FUTEX_WAIT | flag, value, 600), -1L,
                              "FUTEX_WAIT in the parent");
            });
            Child waker([&] {
                for (int turn = 0; turn < 15; ++turn) {
                    ::usleep(20'000);
                    require_equal(wake(word, FUTEX_WAKE | flag), 0L, "the child woke the parent");
                }
            });
            waker.wait("the waker");
            workers.join();
        }
}

CASE(futex_mutex) {
    const Arena memory(kRoom);
    for (const int shared : {PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED}) {
        auto* mutex = reinterpret_cast<pthread_mutex_t*>(memory.at(4096 + 128));
        pthread_mutexattr_t kind;
        ::pthread_mutexattr_init(&kind);
        ::pthread_mutexattr_setpshared(&kind, shared);
        ::pthread_mutex_init(mutex, &kind);
        auto* count = reinterpret_cast<long*>(memory.at(8192));
        *count = 0;
        Workers workers;
        for (int number = 0; number < 4; ++number)
            workers.start([&] {
                for (int turn = 0; turn < 2000; ++turn) {
                    ::pthread_mutex_lock(mutex);
                    ++*count;
                    ::pthread_mutex_unlock(mutex);
                }
            });
        workers.join();
        require_equal(*count, 8000L, "what was counted under a mutex");
        ::pthread_mutex_destroy(mutex);
    }
}

}  // namespace
}  // namespace libra::test
