// SPDX-License-Identifier: GPL-2.0-only
// What is kept for nothing is given back: blocks that are said to be free, anchors that
// keep much more than they stand for; and nothing else ever is.
#include <linux/libra_memory.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <random>
#include <string>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 1 << 20;
constexpr std::uint16_t kPages = 16;
constexpr std::size_t kBlock = kPages * kPage;

// An arena with a table of what is free, as an allocator has it.
class Tabled {
  public:
    explicit Tabled(std::size_t size = kRoom) : memory_(size, Kind::kPayload, LIBRA_ARENA_TABLE) {}

    char* at(std::size_t offset) const { return memory_.at(offset); }
    const Arena& memory() const { return memory_; }
    std::size_t room() const { return LIBRA_TABLE_START(memory_.size(), kPage); }
    std::atomic_ref<std::uint16_t> entry(std::size_t offset) const {
        auto* table = reinterpret_cast<std::uint16_t*>(memory_.at(room()));
        return std::atomic_ref(table[offset / kPage]);
    }
    unsigned state(std::size_t offset) const { return entry(offset).load() & LIBRA_FREE_STATE; }
    void free(std::size_t offset, std::uint16_t pages = kPages) const {
        entry(offset) = static_cast<std::uint16_t>(LIBRA_FREE_NEW | pages);
    }
    // False: the kernel is at it.
    bool take(std::size_t offset, bool* zeros) const {
        std::uint16_t now = entry(offset);
        do {
            if ((now & LIBRA_FREE_STATE) == LIBRA_FREE_BUSY)
                return false;
        } while (!entry(offset).compare_exchange_weak(now, 0));
        *zeros = (now & LIBRA_FREE_STATE) == LIBRA_FREE_ZEROS;
        return true;
    }
    bool becomes(std::size_t offset, unsigned state) const {
        return eventually([&] { return this->state(offset) == state; });
    }

    template <typename Truth>
    static bool eventually(Truth truth) {
        for (int turn = 0; turn < 2000; ++turn) {
            if (truth())
                return true;
            ::usleep(10'000);
        }
        return false;
    }

  private:
    Arena memory_;
};

void require_zeros(const char* memory, std::size_t size, const std::string& what) {
    require(std::all_of(memory, memory + size, [](char byte) { return byte == 0; }), what);
}

// Long enough for the kernel to have looked, whatever it looks for.
void a_few_looks() {
    ::usleep(500'000);
}

CASE(tidy_freed_blocks) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 20);
    const Link link;
    const Tabled arena;
    const Moved lazy("lazy_pages");
    const Moved pages("payload_pages");
    const Moved charge("anchor_charge_live");
    const Moved given_back("lazy_freed_pages");
    receive_pattern(link, arena.at(0), 2 * kBlock, 1);
    lazy.require_moved(2 * kPages, "received");
    *arena.at(kPage) = 'x';
    arena.free(0);
    require(arena.becomes(0, LIBRA_FREE_ZEROS), "a free block is not given back");
    lazy.require_moved(kPages, "one of two blocks is free");
    pages.require_moved(1, "but for the table");
    given_back.require_moved(kPages, "one block");
    arena.free(kBlock);
    require(arena.becomes(kBlock, LIBRA_FREE_ZEROS), "the second one is not given back");
    lazy.require_moved(0, "both are free");
    charge.require_moved(0, "both are free");
    require_zeros(arena.at(0), 2 * kBlock, "what was given back is not zeros");
    receive_pattern(link, arena.at(0), 2 * kBlock, 2);
    require_pattern(arena.at(0), 2 * kBlock, 2, 0, "received again");
}

CASE(tidy_leaves_what_is_used) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 20);
    const Link link;
    const Tabled arena;
    const Moved given_back("lazy_freed_pages");
    receive_pattern(link, arena.at(0), 3 * kBlock, 1);
    arena.free(kBlock);
    require(arena.becomes(kBlock, LIBRA_FREE_ZEROS), "the block between is not given back");
    a_few_looks();
    require_pattern(arena.at(0), kBlock, 1, 0, "before it");
    require_pattern(arena.at(2 * kBlock), kBlock, 1, 2 * kBlock, "behind it");
    given_back.require_moved(kPages, "one block");
    // Free for an instant is not free.
    bool zeros = true;
    for (int round = 0; round < 200; ++round) {
        arena.free(0);
        require(arena.take(0, &zeros) && !zeros, "it was free for an instant only");
        ::usleep(1000);
    }
    require_pattern(arena.at(0), kBlock, 1, 0, "after that");
}

// A table's entry that makes no sense names nothing, whatever else is wrong with it.
CASE(tidy_hostile_table) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 1);
    const Link link;
    const Tabled arena;
    const Tabled other;
    receive_pattern(link, other.at(0), 8 * kBlock, 1);
    receive_pattern(link, arena.at(0), kBlock, 2);
    const std::size_t last = arena.room() / kPage - 1;
    arena.entry(last * kPage) = LIBRA_FREE_OLD | 2;
    arena.entry(0) = LIBRA_FREE_OLD;
    a_few_looks();
    require_equal(arena.state(last * kPage), static_cast<unsigned>(LIBRA_FREE_OLD), "too long");
    require_pattern(arena.at(0), kBlock, 2, 0, "no pages");
    std::mt19937 random(7);
    for (int round = 0; round < rounds(200, 5000); ++round) {
        for (std::size_t page = 0; page <= last; ++page)
            arena.entry(page * kPage) = static_cast<std::uint16_t>(random());
        receive_pattern(link, other.at(8 * kBlock % other.room()), kPage, 3);
        ::usleep(1000);
    }
    require_pattern(other.at(kPage), 7 * kPage, 1, kPage, "another arena");
}

// The block is taken and given while the kernel looks, and takes it as soon as it may.
CASE(tidy_race) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 1);
    constexpr int kThreads = 3;
    const Tabled arena;
    std::atomic<int> zeroed{0};
    Workers workers;
    for (int worker = 0; worker < kThreads; ++worker) {
        workers.start([&, worker] {
            const Link link;
            const std::size_t block = static_cast<std::size_t>(worker) * kBlock;
            const auto seed = static_cast<unsigned>(worker + 1);
            std::mt19937 random(seed);
            std::uint64_t stream = 0;
            bool zeros = true;
            for (int round = 0; round < rounds(300, 20'000); ++round) {
                if (zeros)
                    require_zeros(arena.at(block), kBlock, "it is said to be zeros");
                else
                    require_pattern(arena.at(block), kBlock, stream, 0, "as it was left");
                stream = static_cast<std::uint64_t>(round) * kThreads + seed;
                receive_pattern(link, arena.at(block), kBlock, stream);
                if (random() % 2)
                    require_pattern(arena.at(block), kBlock, stream, 0, "as it was received");
                arena.free(block);
                ::usleep(random() % 20'000);
                while (!arena.take(block, &zeros))
                    ::usleep(100);
                zeroed += zeros;
            }
        });
    }
    workers.join();
    require(zeroed > 0, "nothing was given back meanwhile");
}

CASE(tidy_fork) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 20);
    const Link link;
    const Tabled arena;
    receive_pattern(link, arena.at(0), 3 * kBlock, 1);
    arena.entry(2 * kBlock) = LIBRA_FREE_BUSY | kPages;  // as if a look were under way
    Child child([&] {
        arena.free(0);
        require(arena.becomes(0, LIBRA_FREE_ZEROS), "a child's block is not given back");
        require_zeros(arena.at(0), kBlock, "a child's block");
        require_pattern(arena.at(kBlock), kBlock, 1, kBlock, "the next one of the child");
        require(arena.becomes(2 * kBlock, LIBRA_FREE_ZEROS), "what was busy stays so");
    });
    a_few_looks();
    require_equal(arena.entry(0).load(), 0, "the parent's table");
    child.wait("the child");
    require_pattern(arena.at(0), 2 * kBlock, 1, 0, "the parent's blocks");
}

CASE(tidy_locked_memory) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 20);
    const Tabled arena;
    require_call(::mlock(arena.at(0), kBlock) == 0, "mlock");
    arena.at(0)[0] = 'x';
    arena.free(0);
    *arena.at(kBlock) = 'y';
    a_few_looks();
    require(arena.state(0) != LIBRA_FREE_ZEROS, "a process's locked memory was given back");
    require_call(::munlock(arena.at(0), kBlock) == 0, "munlock");
    *arena.at(2 * kBlock) = 'z';
    require(arena.becomes(0, LIBRA_FREE_ZEROS), "unlocked, and not given back");
}

CASE(tidy_off) {
    needs_libra();
    const Sysctl off("lazy_tidy_ms", 0);
    const Link link;
    const Tabled arena;
    receive_pattern(link, arena.at(0), kBlock, 1);
    arena.free(0);
    a_few_looks();
    require_equal(arena.entry(0).load(), LIBRA_FREE_NEW | kPages, "lazy_tidy_ms is 0");
    const Sysctl on("lazy_tidy_ms", 20);
    receive_pattern(link, arena.at(kBlock), kBlock, 1);
    require(arena.becomes(0, LIBRA_FREE_ZEROS), "lazy_tidy_ms is 20");
}

// One page that is left of sixteen: it is filled, and the others' memory is free.
CASE(tidy_compacts) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 20);
    const Link link;
    const Arena memory(kRoom);
    const Moved lazy("lazy_pages");
    const Moved charge("anchor_charge_live");
    const Moved compacted("lazy_compacted_pages");
    const Moved fills("lazy_fills_user");
    receive_pattern(link, memory.data(), kBlock, 1);
    a_few_looks();
    compacted.require_moved(0, "all of it is left");
    memory.discard(0, 3 * kPage);
    memory.discard(4 * kPage, 12 * kPage);
    require(Tabled::eventually([&] { return charge() == 0; }), "one page keeps sixteen");
    compacted.require_moved(1, "one page");
    lazy.require_moved(0, "one page");
    require_pattern(memory.at(3 * kPage), kPage, 1, 3 * kPage, "the page");
    require_zeros(memory.data(), 3 * kPage, "before it");
    fills.require_moved(0, "nobody looked");
}

// What is on its way through the application is spared once: all of it, not its first page.
CASE(tidy_spares_once) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 50);
    const Link link;
    const Arena memory(kRoom);
    for (int attempt = 0; attempt < 20; ++attempt) {
        const Moved looks("lazy_looks");
        const Moved compacted("lazy_compacted_pages");
        receive_pattern(link, memory.data(), kBlock, 1);
        memory.discard(0, 12 * kPage);
        require(Tabled::eventually([&] { return looks() > 0; }), "nobody looked");
        const auto filled = compacted();
        // Between discarding and here there may have been several.
        if (looks() == 1) {
            require_equal(filled, 0, "pages filled at the first look");
            return;
        }
        memory.discard();
    }
    require(false, "each time there were several looks");
}

// When memory is short, freed blocks go without delay, whether of payload or of pages.
CASE(tidy_under_pressure) {
    needs_libra();
    const Sysctl seldom("lazy_tidy_ms", 60'000);
    const Tabled arena;
    const auto given_back_at_once = [&](std::size_t block) {
        arena.free(block);
        return Tabled::eventually([&] {
            std::ofstream("/proc/sys/vm/drop_caches") << "2\n";
            return arena.state(block) == LIBRA_FREE_ZEROS;
        });
    };
    *arena.at(0) = 'x';
    require(given_back_at_once(0), "a shrinker was called, and a page was not given back");
    const Link link;
    receive_pattern(link, arena.at(kBlock), 2 * kBlock, 1);
    require(given_back_at_once(kBlock), "a shrinker was called, and payload was not given back");
    require_pattern(arena.at(2 * kBlock), kBlock, 1, kBlock, "what is in use");
}

// Of a page that a sleeping child has left of what its parent had received.
CASE(tidy_compacts_a_child) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 20);
    const Moved charge("anchor_charge_live");
    int ends[2];
    require_call(::pipe(ends) == 0, "pipe");
    Fd from(ends[0]);
    Fd to(ends[1]);
    Child child([&] {
        const Link link;
        Arena memory(kRoom);
        receive_pattern(link, memory.data(), kBlock, 1);
        Child grandchild([&] {
            memory.discard(0, 3 * kPage);
            memory.discard(4 * kPage, 12 * kPage);
            char end = 0;
            to.reset();
            require_equal(::read(from.get(), &end, 1), 0, "read of the pipe");
            require_pattern(memory.at(3 * kPage), kPage, 1, 3 * kPage, "the page");
        });
        require_call(::munmap(memory.data(), kRoom) == 0, "munmap");
        memory.forget();
        require(Tabled::eventually([&] { return charge() == 0; }), "one page keeps sixteen");
        to.reset();
        grandchild.wait("the grandchild");
    });
    to.reset();
    child.wait("the child");
}

// Blocks that are given back while a process forks: what the child's table says of its
// blocks holds for the child's.
CASE(tidy_fork_race) {
    needs_libra();
    const Sysctl often("lazy_tidy_ms", 1);
    constexpr std::uint16_t kFew = 4;
    constexpr std::size_t kStep = kFew * kPage;
    const Tabled arena(16 << 20);
    const std::size_t blocks = arena.room() / kStep;
    for (int round = 0; round < rounds(10, 200); ++round) {
        bool zeros = false;
        for (std::size_t block = 0; block < blocks; ++block) {
            while (!arena.take(block * kStep, &zeros))
                ::usleep(100);
            for (std::size_t page = 0; page < kFew; ++page)
                *arena.at(block * kStep + page * kPage) = 'x';
        }
        for (std::size_t block = 0; block < blocks; ++block)
            arena.entry(block * kStep) = LIBRA_FREE_OLD | kFew;
        for (int turn = 0; turn < 20'000 && arena.state(0) != LIBRA_FREE_ZEROS; ++turn)
            ::usleep(50);
        Child child([&] {
            for (std::size_t block = 0; block < blocks; ++block)
                if (arena.state(block * kStep) == LIBRA_FREE_ZEROS)
                    require_zeros(arena.at(block * kStep), kPage, "said to be zeros, in a child");
        });
        child.wait("the child");
    }
}

// A process that was killed while the kernel looked is not remembered.
CASE(tidy_leaves_no_process) {
    needs_libra();
    const Moved processes("payload_processes");
    const Sysctl tidy("lazy_tidy_ms", 1);
    for (int round = 0; round < rounds(20, 200); ++round) {
        tidy.set(1);
        Child child([&] {
            const Tabled arena;
            for (;;) {
                *arena.at(0) = 'x';
                arena.memory().discard(0, kPage);
            }
        });
        ::usleep(20'000 + static_cast<useconds_t>(round) * 377);
        tidy.set(60'000);
        require_call(::kill(child.pid(), SIGKILL) == 0, "kill");
        child.status();
        require(Tabled::eventually([&] { return processes() == 0; }),
                "a process is over, and still known");
    }
}

}  // namespace
}  // namespace libra::test
