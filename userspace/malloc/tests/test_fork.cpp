// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "fake_source.h"

namespace libra::memory {
namespace {

constexpr std::size_t kBlock = 64 << 10;

Heap* forked = nullptr;        // whose handlers are run
void* (*between)() = nullptr;  // by a handler of somebody else, after ours has locked

void handlers_once() {
    static const int done = [] {
        pthread_atfork([] { between ? between() : nullptr; }, nullptr,
                       [] { between ? between() : nullptr; });
        return pthread_atfork([] { forked ? forked->before_fork() : void(); },
                              [] { forked ? forked->after_fork_parent() : void(); },
                              [] { forked ? forked->after_fork_child() : void(); });
    }();
    ASSERT_EQ(done, 0);
}

// Runs in a child; it is to give 0.
template <typename Body>
void in_child(Body body) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(20);
        _exit(body());
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Fork, AChildUsesWhatItInheritedAndPutsNewBlocksElsewhere) {
    handlers_once();
    TestHeap heap;
    forked = &*heap;
    char* block = static_cast<char*>(heap->allocate(kBlock));
    void* freed = heap->allocate(kBlock);
    heap->give_back(freed);
    memset(block, 3, kBlock);
    in_child([&] {
        if (heap->counts().retired != 1 || !all_bytes(block, kBlock, 3))
            return 1;
        void* fresh = heap->allocate(kBlock);
        if (!fresh || heap->counts().arenas != 2 || heap->resize(block, 2 * kBlock))
            return 2;
        memset(block, 4, kBlock);
        if (!heap->resize(block, kBlock / 2) || heap->usable_size(block) != kBlock / 2)
            return 3;
        heap->give_back(block);
        if (heap->owns(block) || heap->counts().arenas != 1)
            return 4;  // a retired arena is not kept as the spare one
        heap->give_back(fresh);
        return 0;
    });
    EXPECT_TRUE(all_bytes(block, kBlock, 3));
    EXPECT_EQ(heap->counts().retired, 0u);
    EXPECT_EQ(heap->allocate(kBlock), freed) << "the parent goes on in its arena";
    heap->give_back(freed);
    heap->give_back(block);
    forked = nullptr;
}

TEST(Fork, HandlersOfOthersMayAllocateMeanwhile) {
    handlers_once();
    TestHeap heap;
    forked = &*heap;
    between = +[]() -> void* {
        void* block = forked->allocate(kBlock);
        forked->give_back(block);
        return nullptr;
    };
    in_child([&] {
        void* block = heap->allocate(kBlock);
        heap->give_back(block);
        return block ? 0 : 1;
    });
    between = nullptr;
    forked = nullptr;
}

TEST(Fork, InThreadsThatAllocate) {
    handlers_once();
    TestHeap heap;
    forked = &*heap;
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < 4; number++)
        threads.emplace_back([&, number] {
            std::mt19937 random(number);
            std::vector<void*> blocks(24);
            while (!stop) {
                void*& block = blocks[random() % blocks.size()];
                if (block)
                    heap->give_back(block);
                block = heap->allocate(16384 + random() % (2 << 20));
            }
            for (void* block : blocks)
                if (block)
                    heap->give_back(block);
        });
    for (unsigned round = 0; round < 40 && !testing::Test::HasFatalFailure(); round++)
        in_child([&] {
            std::mt19937 random(round);
            for (unsigned i = 0; i < 200; i++) {
                const std::size_t size = 16384 + random() % (2 << 20);
                auto* block = static_cast<char*>(heap->allocate_zeroed(size));
                if (!block || block[0] != 0 || block[size - 1] != 0)
                    return 1;
                block[0] = block[size - 1] = 1;
                heap->give_back(block);
            }
            return 0;
        });
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    forked = nullptr;
}

}  // namespace
}  // namespace libra::memory
