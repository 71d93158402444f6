// SPDX-License-Identifier: GPL-2.0-only
// Several at once on the same payload memory, and ends in the middle.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "rounds.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 128 << 10;

// One thread receives into [at, at + size) as often; the others watch until it is over.
template <typename Watch>
void receive_watched(const Arena& memory, std::size_t at, std::size_t size, int count, int watchers,
                     Watch watch) {
    const Link link;
    Rounds receiving;
    Workers workers;
    std::atomic<int> told{0};
    std::uint64_t last = 0;
    for (int number = 0; number < watchers; ++number)
        workers.start([&, number] {
            while (!receiving.over())
                told += watch(receiving, number);
        });
    workers.start([&] {
        const AtEnd stop([&] { receiving.stop(); });
        // Longer where the watchers did not have their turn.
        for (int round = 1; round <= count || (told == 0 && round <= 50 * count); ++round) {
            const auto stream = last = static_cast<std::uint64_t>(round);
            feed(link, size, stream, at);
            receiving.begin(stream);
            receive_all(link.here, memory.at(at), size);
            receiving.end(stream);
            if (round % 8 == 0)  // the watchers shall have their turn
                ::usleep(1000);
        }
    });
    workers.join();
    require(told > 0, "the receiver was too quick: it proves nothing");
    require_pattern(memory.at(at), size, last, at, "in the end");
}

CASE_OF_BOTH_FAMILIES(race_read_while_receiving) {
    const LazyProof proof;
    const Arena memory(kRoom);
    receive_watched(memory, 0, 3 * kPage, rounds(500, 10'000), 1, [&](const Rounds& it, int) {
        std::string seen(kPage, '\0');
        return it.require_old_or_new(
            seen, kPage, [&] { std::memcpy(seen.data(), memory.at(kPage), kPage); }, "a page");
    });
    proof.require_some();
}

CASE(race_readers_while_receiving) {
    const LazyProof proof;
    const Arena memory(kRoom);
    receive_watched(memory, 77, 5 * kPage, rounds(300, 5000), 3, [&](const Rounds& it, int number) {
        const std::size_t at = 77 + static_cast<std::size_t>(number) * kPage;
        std::string seen(kPage, '\0');
        return it.require_old_or_new(
            seen, at, [&] { std::memcpy(seen.data(), memory.at(at), kPage); }, "part of two pages");
    });
    proof.require_some();
}

CASE_OF_BOTH_FAMILIES(race_send_while_receiving) {
    const LazyProof proof;
    const Arena memory(kRoom);
    const Link out(family);
    receive_watched(memory, 10, 4 * kPage, rounds(300, 10'000), 1, [&](const Rounds& it, int) {
        std::string seen(4 * kPage, '\0');
        return it.require_old_or_new(
            seen, 10,
            [&] {
                send_all(out.here, memory.at(10), 4 * kPage);
                receive_all(out.peer, seen.data(), seen.size());
            },
            "what was sent");
    });
    proof.require_some();
}

CASE(race_kernel_reads_while_receiving) {
    const LazyProof proof;
    const Arena memory(kRoom);
    const pid_t self = ::getpid();
    receive_watched(memory, 0, 4 * kPage, rounds(300, 5000), 2, [&](const Rounds& it, int number) {
        std::string seen(2 * kPage, '\0');
        const std::size_t at = static_cast<std::size_t>(number) * 2 * kPage;
        iovec local = {seen.data(), seen.size()};
        iovec remote = {memory.at(at), seen.size()};
        return it.require_old_or_new(
            seen, at,
            [&] {
                require_equal(::process_vm_readv(self, &local, 1, &remote, 1, 0),
                              static_cast<ssize_t>(seen.size()), "process_vm_readv");
            },
            "process_vm_readv");
    });
    proof.require_some();
}

// Somebody who writes to one byte of each page wins or loses that byte, and no other.
CASE(race_write_while_receiving) {
    const LazyProof proof;
    constexpr std::size_t kPages = 4;
    const Link link;
    const Arena memory(kRoom);
    Rounds receiving;
    Workers workers;
    workers.start([&] {
        for (unsigned turn = 0; !receiving.over(); ++turn)
            for (std::size_t page = 0; page < kPages; ++page)
                __atomic_store_n(memory.at(page * kPage + 999), static_cast<char>(turn),
                                 __ATOMIC_RELAXED);
    });
    {
        const AtEnd stop([&] { receiving.stop(); });
        for (int round = 1; round <= rounds(500, 10'000); ++round) {
            const auto stream = static_cast<std::uint64_t>(round);
            receive_pattern(link, memory.data(), kPages * kPage, stream);
            for (std::size_t page = 0; page < kPages; ++page) {
                const std::size_t at = page * kPage;
                require_pattern(memory.at(at), 999, stream, at, "before the byte");
                require_pattern(memory.at(at + 1000), kPage - 1000, stream, at + 1000, "behind it");
            }
        }
    }
    workers.join();
    proof.require_some();
}

// A byte that is written after recv() returned stays written.
CASE(race_no_write_is_lost) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    std::atomic<bool> over{false};
    Workers workers;
    // Neighbours of the written byte are looked at meanwhile, which fills the page.
    for (int number = 0; number < 2; ++number)
        workers.start([&] {
            unsigned sum = 0;
            while (!over)
                for (std::size_t page = 0; page < 8; ++page)
                    sum += static_cast<unsigned>(
                        __atomic_load_n(memory.at(page * kPage + 5), __ATOMIC_RELAXED));
            require(sum != 1, "");
        });
    {
        const AtEnd stop([&] { over = true; });
        for (int round = 1; round <= rounds(300, 10'000); ++round) {
            const auto stream = static_cast<std::uint64_t>(round);
            receive_pattern(link, memory.data(), 8 * kPage, stream);
            for (std::size_t page = 0; page < 8; ++page)
                *memory.at(page * kPage + 100) = 'w';
            for (std::size_t page = 0; page < 8; ++page) {
                require_equal(*memory.at(page * kPage + 100), 'w', "what was written");
                require_pattern(memory.at(page * kPage), 100, stream, page * kPage, "before it");
                require_pattern(memory.at(page * kPage + 101), kPage - 101, stream,
                                page * kPage + 101, "behind it");
            }
        }
    }
    workers.join();
    proof.require_some();
}

// Buffers that end and begin in the same pages, each with a receiver of its own.
CASE_OF_BOTH_FAMILIES(race_receivers_next_to_each_other) {
    const LazyProof proof;
    constexpr std::size_t kThreads = 6;
    constexpr std::size_t kPart = 3 * kPage + 1234;
    const Arena memory(kRoom);
    Workers workers;
    for (std::size_t number = 0; number < kThreads; ++number)
        workers.start([&memory, family, number] {
            const Link link(family);
            for (int round = 0; round < rounds(100, 2000); ++round) {
                const std::uint64_t stream = static_cast<std::uint64_t>(round) * kThreads + number;
                receive_pattern(link, memory.at(500 + number * kPart), kPart, stream);
                require_pattern(memory.at(500 + number * kPart), kPart, stream, 0,
                                "thread " + std::to_string(number));
            }
        });
    workers.join();
    proof.require_some();
}

// All see the same page for the first time at the same time.
CASE(race_first_look) {
    const LazyProof proof;
    constexpr int kThreads = 4;
    const int count = rounds(150, 3000);
    const Link link;
    const Arena memory(kRoom);
    std::barrier gate(kThreads);
    Workers workers;
    std::atomic<bool> broken{false};
    for (int number = 0; number < kThreads; ++number)
        workers.start([&, number] {
            try {
                for (int round = 1; round <= count; ++round) {
                    const auto stream = static_cast<std::uint64_t>(round);
                    if (number == 0 && !broken)
                        receive_pattern(link, memory.data(), 6 * kPage, stream);
                    gate.arrive_and_wait();
                    if (!broken)
                        require_pattern(memory.data(), 6 * kPage, stream, 0, "a first look");
                    gate.arrive_and_wait();
                    if (broken)
                        return gate.arrive_and_drop();
                }
            } catch (...) {
                broken = true;
                gate.arrive_and_drop();
                throw;
            }
        });
    workers.join();
    proof.require_some();
}

CASE(race_discard_while_receiving) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    std::atomic<bool> over{false};
    Workers workers;
    workers.start([&] {
        while (!over) {
            memory.discard(kPage, 2 * kPage);
            ::usleep(50);
        }
    });
    {
        const AtEnd stop([&] { over = true; });
        for (int round = 1; round <= rounds(300, 5000); ++round) {
            const auto stream = static_cast<std::uint64_t>(round);
            receive_pattern(link, memory.data(), 5 * kPage, stream);
            for (std::size_t page = 0; page < 5; ++page) {
                const std::string seen(memory.at(page * kPage), kPage);
                if (page == 1 || page == 2)
                    for (std::size_t at = 0; at < kPage; ++at)
                        require(
                            seen[at] == 0 || seen[at] == pattern_byte(stream, page * kPage + at),
                            "a byte is neither discarded nor new");
                else
                    require_pattern(seen.data(), kPage, stream, page * kPage, "beside it");
            }
        }
    }
    workers.join();
    proof.require_some();
}

// Whatever happens to the memory, the stream goes on behind what recv() said it took.
template <typename Disturb, typename Mend>
void receive_disturbed(Disturb disturb, Mend mend) {
    constexpr std::size_t kSize = 16 * kPage;
    const Link link;
    int partly = 0;
    for (int round = 1; round <= rounds(150, 3000); ++round) {
        const auto stream = static_cast<std::uint64_t>(round);
        Arena memory(kRoom);
        if (round % 2 == 0)
            std::memset(memory.data(), '.', kSize);
        feed(link, kSize, stream);
        ssize_t count = 0;
        int error = 0;
        std::barrier gate(2);
        Workers workers;
        workers.start([&] {
            gate.arrive_and_wait();
            count = ::recv(link.here.get(), memory.data(), kSize, 0);
            error = errno;
        });
        gate.arrive_and_wait();
        for (int wait = 0; wait < round % 20 * 100; ++wait)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        disturb(memory);
        workers.join();
        if (count < 0) {
            require_equal(std::strerror(error), std::string(std::strerror(EFAULT)), "recv");
            count = 0;
        }
        partly += count != static_cast<ssize_t>(kSize);
        const auto got = static_cast<std::size_t>(count);
        const std::string rest = take(link.here, kSize - got);
        require_pattern(rest.data(), rest.size(), stream, got, "the rest of the stream");
        mend(memory, stream, got);
    }
}

CASE(race_unmap_while_receiving) {
    receive_disturbed(
        [](Arena& memory) {
            require_call(::munmap(memory.data(), memory.size()) == 0, "munmap");
            memory.forget();
        },
        [](const Arena&, std::uint64_t, std::size_t) {});
}

CASE(race_unmap_a_part_while_receiving) {
    receive_disturbed(
        [](Arena& memory) { require_call(::munmap(memory.at(5 * kPage), kPage) == 0, "munmap"); },
        [](const Arena& memory, std::uint64_t stream, std::size_t got) {
            const std::size_t first = std::min(got, 5 * kPage);
            require_pattern(memory.data(), first, stream, 0, "before the hole");
            if (got > 6 * kPage)
                require_pattern(memory.at(6 * kPage), got - 6 * kPage, stream, 6 * kPage,
                                "behind the hole");
        });
}

CASE(race_protect_while_receiving) {
    receive_disturbed(
        [](Arena& memory) {
            require_call(::mprotect(memory.at(4 * kPage), 8 * kPage, PROT_READ) == 0, "mprotect");
        },
        [](const Arena& memory, std::uint64_t stream, std::size_t got) {
            require_pattern(memory.data(), got, stream, 0, "what was received");
        });
}

// Memory of another kind takes its place.
CASE(race_replace_while_receiving) {
    receive_disturbed(
        [](Arena& memory) {
            require_call(::mmap(memory.at(4 * kPage), 8 * kPage, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED,
                         "mmap");
        },
        [](const Arena& memory, std::uint64_t stream, std::size_t got) {
            require_pattern(memory.data(), std::min(got, 4 * kPage), stream, 0, "before it");
            if (got > 12 * kPage)
                require_pattern(memory.at(12 * kPage), got - 12 * kPage, stream, 12 * kPage,
                                "behind it");
        });
}

CASE(race_close_while_receiving) {
    const Arena memory(kRoom);
    for (int round = 1; round <= rounds(100, 2000); ++round) {
        const auto stream = static_cast<std::uint64_t>(round);
        Link link;
        ssize_t count = 0;
        Workers workers;
        workers.start(
            [&] { count = ::recv(link.here.get(), memory.data(), 16 * kPage, MSG_WAITALL); });
        send_all(link.peer, pattern(10 * kPage, stream));
        if (round % 2 == 0)
            ::shutdown(link.here.get(), SHUT_RDWR);
        link.peer.reset();
        workers.join();
        if (count > 0)
            require_pattern(memory.data(), static_cast<std::size_t>(count), stream, 0,
                            "what was received");
    }
}

// A child with threads that receive and look ends in the middle of it.
template <typename End>
void end_in_the_middle(End end) {
    for (int round = 0; round < rounds(15, 300); ++round) {
        Child child([&] {
            const Arena memory(kRoom);
            const Link link;
            Workers workers;
            for (int number = 0; number < 2; ++number)
                workers.start([&] {
                    for (std::uint64_t stream = 1;; ++stream) {
                        send_all(link.peer, pattern(8 * kPage, stream));
                        receive_all(link.here, memory.data(), 8 * kPage);
                        const std::string copy(memory.data(), 8 * kPage);
                        send_all(link.peer, memory.data(), 8 * kPage);
                        receive_all(link.here, memory.at(9 * kPage), 8 * kPage);
                    }
                });
            ::usleep(static_cast<useconds_t>(5000 + 1000 * (round % 10)));
            end();
            for (;;)
                ::pause();
        });
        ::usleep(static_cast<useconds_t>(10'000 + 1000 * (round % 7)));
        ::kill(child.pid(), SIGKILL);
        child.status();
    }
}

CASE(race_kill) {
    end_in_the_middle([] {});
}

CASE(race_exit) {
    end_in_the_middle([] { ::_exit(0); });
}

CASE(race_exec) {
    end_in_the_middle([] { ::execl("/bin/true", "true", nullptr); });
}

// The process has payload memory, and none, and other, while calls are under way that came
// because it had some. It is not remembered either when all that it asked for failed.
CASE(race_last_mapping) {
    needs_libra();
    const Moved processes("payload_processes");
    Child child([] {
        const Link link;
        std::atomic<bool> over{false};
        Workers workers;
        workers.start([&] {
            const std::string bytes(2 * kPage, 'x');
            while (!over)
                send_all(link.peer, bytes);
            ::shutdown(link.peer.get(), SHUT_WR);
        });
        for (int reader = 0; reader < 2; ++reader)
            workers.start([&] {
                std::string room(2 * kPage, '\0');
                while (::recv(link.here.get(), room.data(), room.size(), 0) > 0)
                    ;
            });
        {
            const AtEnd end([&] { over = true; });
            const Fd device(open_device());
            rlimit limit{};
            require_call(::getrlimit(RLIMIT_DATA, &limit) == 0, "getrlimit");
            for (int round = 0; round < rounds(400, 20'000); ++round) {
                { const Arena memory(kPage); }
                rlimit none = {0, limit.rlim_max};
                require_call(::setrlimit(RLIMIT_DATA, &none) == 0, "setrlimit");
                const Fd arena(new_arena(device.get(), kPage));
                void* memory =
                    ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, arena.get(), 0);
                require(memory == MAP_FAILED, "more than RLIMIT_DATA was mapped");
                require_call(::setrlimit(RLIMIT_DATA, &limit) == 0, "setrlimit");
            }
        }
        workers.join();
    });
    child.wait("the process");
    for (int turn = 0; turn < 200 && processes(); ++turn)
        ::usleep(10'000);
    processes.require_moved(0, "it is over");
}

}  // namespace
}  // namespace libra::test
