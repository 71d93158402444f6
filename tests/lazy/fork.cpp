// SPDX-License-Identifier: GPL-2.0-only
// Processes that begin as a copy of one with payload memory: each has its own.
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "rounds.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 128 << 10;
constexpr std::size_t kSize = 12 * kPage;

// Both look, both write, and neither sees what the other does.
CASE_OF_BOTH_FAMILIES(fork_after_receiving) {
    const LazyProof proof;
    const Link link(family);
    const Arena memory(kRoom);
    const int count = rounds(100, 5000);
    for (int round = 1; round <= count; ++round) {
        const auto stream = static_cast<std::uint64_t>(round);
        const std::size_t at = (stream * 131) % kPage;
        receive_pattern(link, memory.at(at), kSize, stream);
        if (round % 3 == 0)  // some of it is there already
            require_pattern(memory.at(at + 2 * kPage), 3 * kPage, stream, 2 * kPage, "before");
        Child child([&] {
            if (round % 2 == 0)
                std::memset(memory.at(at + kPage), 'c', 2 * kPage);
            else
                require_pattern(memory.at(at + kPage), 2 * kPage, stream, kPage, "the child's");
            require_pattern(memory.at(at), kPage, stream, 0, "the child's first page");
            require_pattern(memory.at(at + 3 * kPage), kSize - 3 * kPage, stream, 3 * kPage,
                            "the child's rest");
        });
        if (round % 5 == 0)
            std::memset(memory.at(at + 3 * kPage), 'p', kPage);
        else
            require_pattern(memory.at(at + 3 * kPage), kPage, stream, 3 * kPage, "the parent's");
        require_pattern(memory.at(at), 3 * kPage, stream, 0, "the parent's first pages");
        child.wait("round " + std::to_string(round));
        require_pattern(memory.at(at), 3 * kPage, stream, 0, "after the child");
        require_pattern(memory.at(at + 4 * kPage), kSize - 4 * kPage, stream, 4 * kPage,
                        "the parent's rest");
    }
    proof.require_some();
}

// What the parent gets later is not the child's, and the other way round.
CASE(fork_before_receiving) {
    const LazyProof proof;
    const Link ours;
    const Link theirs;
    const Link word;
    const Arena memory(kRoom);
    const int count = rounds(100, 5000);
    for (int round = 1; round <= count; ++round) {
        const std::uint64_t stream = 3 * static_cast<std::uint64_t>(round);
        receive_pattern(ours, memory.data(), kSize, stream);
        feed(theirs, kSize, stream + 1);
        Child child([&] {
            take(word.here, 1);  // the parent has received
            require_pattern(memory.data(), 2 * kPage, stream, 0, "the child's old bytes");
            receive_all(theirs.here, memory.at(kPage), kSize - kPage);
            require_pattern(memory.data(), kPage, stream, 0, "the child's first page");
            require_pattern(memory.at(kPage), kSize - kPage, stream + 1, 0, "the child's own");
        });
        receive_pattern(ours, memory.data(), kSize / 2, stream + 2);
        send_all(word.peer, ".", 1);
        require_pattern(memory.data(), kSize / 2, stream + 2, 0, "the parent's new bytes");
        child.wait("round " + std::to_string(round));
        require_pattern(memory.at(kSize / 2), kSize / 2, stream, kSize / 2, "the parent's old");
        take(theirs.here, kPage);
    }
    proof.require_some();
}

CASE(fork_then_send) {
    const LazyProof proof;
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    for (int round = 1; round <= rounds(50, 1000); ++round) {
        const auto stream = static_cast<std::uint64_t>(round);
        receive_pattern(in, memory.at(3), kSize, stream);
        Child child([&] {
            send_all(out.here, memory.at(3), kSize);
            require_pattern(memory.at(3), kSize, stream, 0, "the child's");
        });
        if (round % 2 == 0)
            receive_pattern(in, memory.at(3), kSize, stream + 100'000);
        else
            std::memset(memory.data(), '!', kSize);
        require_arrival(out, kSize, stream, 0, "what the child sent");
        child.wait("the child");
        receive_pattern(in, memory.at(3), kSize, stream + 200'000);
        Child idle([] {});
        send_all(out.here, memory.at(3), kSize);
        require_arrival(out, kSize, stream + 200'000, 0, "what the parent sent");
        idle.wait("an idle child");
    }
    proof.require_some();
}

CASE(fork_of_forks) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    const auto generation = [&](const auto& self, std::size_t depth) -> void {
        require_pattern(memory.at(depth * kPage), kPage, 1, depth * kPage, "one page");
        std::memset(memory.at(depth * kPage), static_cast<int>('a' + depth), kPage);
        if (depth == 8)
            return;
        Child child([&] { self(self, depth + 1); });
        require_bytes(memory.at(depth * kPage), kPage, static_cast<char>('a' + depth), "own page");
        child.wait("generation " + std::to_string(depth + 1));
        require_pattern(memory.at((depth + 1) * kPage), kPage, 1, (depth + 1) * kPage,
                        "the page that a child wrote");
    };
    generation(generation, 0);
    require_pattern(memory.at(kPage), kSize - kPage, 1, kPage, "the rest");
    proof.require_some();
}

CASE(fork_many_at_once) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    for (int round = 1; round <= rounds(5, 200); ++round) {
        const auto stream = static_cast<std::uint64_t>(round);
        receive_pattern(link, memory.data(), kSize, stream);
        std::vector<std::unique_ptr<Child>> children;
        for (std::size_t number = 0; number < 12; ++number)
            children.push_back(std::make_unique<Child>([&, number] {
                for (std::size_t turn = 0; turn < 12; ++turn) {
                    const std::size_t at = (number * 5 + turn) % 12 * kPage;
                    require_pattern(memory.at(at), kPage, stream, at, "a child's page");
                    std::memset(memory.at(at), static_cast<int>(number), kPage);
                }
            }));
        require_pattern(memory.data(), kSize, stream, 0, "the parent's");
        for (const auto& child : children)
            child->wait("one of many");
    }
    proof.require_some();
}

// The parent ends first.
CASE(fork_orphan) {
    const LazyProof proof;
    const Link link;
    const Link word;
    const Arena memory(kRoom);
    {
        Child parent([&] {
            receive_pattern(link, memory.data(), kSize, 1);
            const pid_t orphan = ::fork();
            require_call(orphan >= 0, "fork");
            if (orphan != 0)
                return;
            ::usleep(200'000);  // the parent is gone by then
            const bool good = first_wrong(memory.data(), kSize, 1) == kSize;
            send_all(word.here, good ? "+" : "-", 1);
        });
        parent.wait("the parent");
    }
    require_equal(take(word.peer, 1), "+", "what the orphan found");
    require_bytes(memory.data(), kSize, 0, "what was never received here");
    proof.require_some();
}

// Others receive and look while the process is copied.
CASE(fork_while_receiving) {
    const LazyProof proof;
    constexpr std::size_t kPart = 3 * kPage;
    const Link link;
    const Arena memory(kRoom);
    Rounds receiving;
    Workers workers;
    workers.start([&] {
        for (std::uint64_t round = 1; !receiving.over(); ++round) {
            feed(link, kPart, round, 100);
            receiving.begin(round);
            receive_all(link.here, memory.at(100), kPart);
            receiving.end(round);
            if (round % 4 == 0)
                ::usleep(2000);
        }
    });
    int told = 0;
    {
        const AtEnd stop([&] { receiving.stop(); });
        for (int round = 0; round < rounds(60, 3000); ++round) {
            std::uint64_t low = 0;
            std::uint64_t high = 0;
            int ends[2];
            require_call(::pipe(ends) == 0, "pipe");
            const Fd from(ends[0]);
            Fd to(ends[1]);
            // The child's copy was made between these two looks of the parent.
            low = receiving.done();
            Child child([&] {
                const std::string seen(memory.at(100), kPart);
                require(::write(to.get(), seen.data(), seen.size()) ==
                            static_cast<ssize_t>(seen.size()),
                        "write");
            });
            high = receiving.started();
            to.reset();
            std::string seen(kPart, '\0');
            std::size_t got = 0;
            while (got < kPart) {
                const ssize_t count = ::read(from.get(), seen.data() + got, kPart - got);
                require(count > 0, "the child says nothing");
                got += static_cast<std::size_t>(count);
            }
            child.wait("round " + std::to_string(round));
            told += Rounds::check(seen, 100, low, high, "in the child");
            const std::string again(memory.at(100), 100);
        }
    }
    workers.join();
    require(told > 0, "the receiver was too quick: it proves nothing");
    proof.require_some();
}

CASE(fork_exec) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    for (std::uint64_t stream = 1; stream <= 10; ++stream) {
        receive_pattern(link, memory.data(), kSize, stream);
        Child child([] {
            ::execl("/bin/true", "true", nullptr);
            throw Failed("exec");
        });
        require_pattern(memory.data(), kSize, stream, 0, "beside exec");
        child.wait("/bin/true");
    }
    // With lazy pages of one's own, which end with it.
    Child child([&] {
        receive_pattern(link, memory.data(), kSize, 20);
        ::execl("/bin/true", "true", nullptr);
        throw Failed("exec");
    });
    child.wait("/bin/true");
    proof.require_some();
}

// What it is started with may be lazy itself.
CASE(fork_posix_spawn) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const std::string words("/bin/sh\0-c\0exit 7\0", 18);
    std::string message = pattern(kSize, 1);
    message.replace(3 * kPage - 4, words.size(), words);
    for (int round = 0; round < 5; ++round) {
        send_all(link.peer, message);
        wait_queued(link.here, message.size());
        receive_all(link.here, memory.data(), message.size());
        char* at = memory.at(3 * kPage - 4);
        char* arguments[] = {at, at + 8, at + 11, nullptr};
        pid_t child = 0;
        require_equal(::posix_spawn(&child, at, nullptr, nullptr, arguments, nullptr), 0,
                      "posix_spawn");
        int status = 0;
        require_call(::waitpid(child, &status, 0) == child, "waitpid");
        require_equal(WEXITSTATUS(status), 7, "what it ended with");
        require_same(std::string(memory.data(), message.size()), message, "beside it");
    }
    proof.require_some();
}

struct Look {
    volatile char* at;
    char expected;
};

int look_and_write(void* given) {
    const auto* look = static_cast<const Look*>(given);
    if (*look->at != look->expected)
        return 1;
    *look->at = 'v';
    return 0;
}

// As vfork() makes it: the same memory in two tasks, of which one waits.
CASE(fork_vfork) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const Arena stack(256 << 10, Kind::kOrdinary);
    char* at = memory.at(2 * kPage + 5);
    for (std::uint64_t stream = 1; stream <= 10; ++stream) {
        receive_pattern(link, memory.data(), kSize, stream);
        Look look = {at, pattern_byte(stream, 2 * kPage + 5)};
        const pid_t child = ::clone(look_and_write, stack.at(stack.size()),
                                    CLONE_VM | CLONE_VFORK | SIGCHLD, &look);
        require_call(child > 0, "clone");
        int status = 0;
        require_call(::waitpid(child, &status, 0) == child, "waitpid");
        require_equal(status, 0, "what the child found");
        require_equal(*at, 'v', "what the child wrote");
        *at = look.expected;
        require_pattern(memory.data(), kSize, stream, 0, "all of it");
    }
    proof.require_some();
}

struct Shared {
    const Link* link;
    const Arena* memory;
};

int receive_in_clone(void* given) {
    const auto* shared = static_cast<const Shared*>(given);
    return ::recv(shared->link->here.get(), shared->memory->data(), kSize, MSG_WAITALL) ==
                   static_cast<ssize_t>(kSize)
               ? 0
               : 1;
}

// Another process that has the same memory: what it receives is here as well.
CASE(fork_clone_vm) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const Arena stack(256 << 10, Kind::kOrdinary);
    Shared shared = {&link, &memory};
    for (std::uint64_t stream = 1; stream <= 10; ++stream) {
        feed(link, kSize, stream);
        const pid_t child =
            ::clone(receive_in_clone, stack.at(stack.size()), CLONE_VM | SIGCHLD, &shared);
        require_call(child > 0, "clone");
        int status = 0;
        require_call(::waitpid(child, &status, 0) == child, "waitpid");
        require_equal(status, 0, "the clone's receive");
        require_pattern(memory.data(), kSize, stream, 0, "what the clone received");
    }
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
