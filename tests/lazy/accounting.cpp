// SPDX-License-Identifier: GPL-2.0-only
// Counters and limits. That gauges are 0 after a process is looked at behind every case.
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 1 << 20;

CASE_OF_BOTH_FAMILIES(account_receive) {
    needs_libra();
    const Link link(family);
    const Arena memory(kRoom);
    for (const std::int64_t pages : {2, 5, 16}) {
        const auto size = static_cast<std::size_t>(pages) * kPage;
        Moved bytes("lazy_rx_bytes");
        Moved live("lazy_pages");
        receive_pattern(link, memory.data(), size, 1);
        bytes.require_moved(pages * 4096, "whole pages");
        live.require_moved(pages, "whole pages");
        // The same pages again: as many are lazy as before.
        receive_pattern(link, memory.data(), size, 2);
        bytes.require_moved(2 * pages * 4096, "the same pages");
        live.require_moved(pages, "the same pages");
        memory.discard();
        live.require_moved(0, "discarded");
        // Only whole pages: the end is too short to be worth an anchor.
        bytes.start();
        receive_pattern(link, memory.at(50), size, 3);
        bytes.require_moved((pages - 1) * 4096, "pages with edges");
        live.require_moved(pages - 1, "pages with edges");
        memory.discard();
    }
}

// A read that ends inside of a page, and one that goes on there: nothing is copied, and
// nothing of it when it is sent.
CASE_OF_BOTH_FAMILIES(account_pieces) {
    needs_libra();
    const Link in(family);
    const Link out(family);
    const Arena memory(kRoom);
    for (std::uint64_t stream = 1; stream <= 2; ++stream) {
        const Moved received("lazy_rx_bytes");
        const Moved received_copied("lazy_rx_copied_bytes");
        const Moved sent("lazy_tx_bytes");
        const Moved sent_copied("lazy_tx_copied_bytes");
        const Moved fills("lazy_fills_kernel");
        receive_pattern(in, memory.data(), 10'000, stream);
        receive_pattern(in, memory.at(10'000), 9'000, stream, 10'000);
        received.require_moved(19'000, "two reads");
        received_copied.require_moved(0, "two reads");
        send_all(out.here, memory.data(), 19'000);
        require_arrival(out, 19'000, stream, 0, "what was sent");
        sent.require_moved(19'000, "all of it");
        sent_copied.require_moved(0, "all of it");
        fills.require_moved(0, "nobody looked");
    }
    // It pins what it stands for, several times over perhaps, and not for ever.
    Moved charge("anchor_charge_live");
    memory.discard();
    require(charge() < 0, "discarded, and still charged");
}

CASE_OF_BOTH_FAMILIES(account_send) {
    needs_libra();
    const Link in(family);
    const Link out(family);
    const Arena memory(kRoom);
    Moved bytes("lazy_tx_bytes");
    receive_pattern(in, memory.data(), 16 * kPage, 1);
    send_all(out.here, memory.data(), 16 * kPage);
    require_arrival(out, 16 * kPage, 1, 0, "all");
    bytes.require_moved(16 * 4096, "all");
    send_all(out.here, memory.at(kPage + 500), 3 * kPage);
    require_arrival(out, 3 * kPage, 1, kPage + 500, "a part");
    bytes.require_moved(19 * 4096, "a part");
    const Moved user("lazy_fills_user");
    const Moved kernel("lazy_fills_kernel");
    const Moved live("lazy_pages");
    send_all(out.here, memory.data(), 16 * kPage);
    require_arrival(out, 16 * kPage, 1, 0, "all again");
    user.require_moved(0, "a send fills nothing");
    kernel.require_moved(0, "a send fills nothing");
    live.require_moved(0, "a send leaves it lazy");
}

CASE(account_touch) {
    needs_libra();
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), 8 * kPage, 1);
    const Moved fills("lazy_fills_user");
    const Moved live("lazy_pages");
    const Moved pages("payload_pages");
    require_equal(+*memory.at(3 * kPage + 7), +pattern_byte(1, 3 * kPage + 7), "a byte");
    fills.require_moved(1, "one page was touched");
    live.require_moved(-1, "one page was touched");
    pages.require_moved(1, "one page was touched");
    require_equal(+*memory.at(3 * kPage + 8), +pattern_byte(1, 3 * kPage + 8), "its neighbour");
    fills.require_moved(1, "the same page");
    *memory.at(4 * kPage) = 'x';
    fills.require_moved(2, "one page was written to");
    // A page that is there goes when it becomes lazy.
    const Moved unmaps("lazy_unmaps");
    receive_pattern(link, memory.data(), 8 * kPage, 2);
    require(unmaps() >= 1, "two pages were there: lazy_unmaps did not move");
    pages.require_moved(0, "received over them");
}

CASE(account_kernel_touch) {
    needs_libra();
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), 8 * kPage, 1);
    const Moved user("lazy_fills_user");
    const Moved kernel("lazy_fills_kernel");
    int ends[2];
    require_call(::pipe(ends) == 0, "pipe");
    const Fd from(ends[0]);
    const Fd to(ends[1]);
    require_equal(::write(to.get(), memory.data(), 2 * kPage), static_cast<ssize_t>(2 * kPage),
                  "write");
    require_equal(user() + kernel(), 2, "pages that the kernel looked at");
    require_equal(kernel(), 2, "lazy_fills_kernel");
}

CASE(account_payload_memory) {
    needs_libra();
    const Moved processes("payload_processes");
    const Moved pages("payload_pages");
    const Moved charge("anchor_charge_live");
    const Moved live("lazy_pages");
    {
        const Arena memory(kRoom);
        processes.require_moved(1, "an arena");
        {
            const Arena second(kRoom);
            processes.require_moved(1, "a second arena");
        }
        processes.require_moved(1, "without it");
        for (std::size_t page = 0; page < 10; ++page)
            *memory.at(page * kPage) = 'x';
        pages.require_moved(10, "touched");
        Child child([&] {
            processes.require_moved(2, "a child");
            *memory.at(0) = 'y';
        });
        child.wait("the child");
        const Link link;
        receive_pattern(link, memory.at(20 * kPage), 10 * kPage, 1);
        require(charge() >= 10 * 4096, "what is lazy is charged");
        require_call(::munmap(memory.at(25 * kPage), kPage) == 0, "munmap");
        live.require_moved(9, "one page was unmapped");
        memory.discard(20 * kPage, 5 * kPage);
        live.require_moved(4, "five pages were discarded");
    }
    for (int turn = 0; turn < 500 && (processes() || pages() || charge() || live()); ++turn)
        ::usleep(10'000);
    processes.require_moved(0, "unmapped");
    pages.require_moved(0, "unmapped");
    live.require_moved(0, "unmapped");
    charge.require_moved(0, "unmapped");
}

CASE(account_off) {
    needs_libra();
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    receive_pattern(in, memory.data(), 8 * kPage, 1);
    const Moved bytes("lazy_rx_bytes");
    {
        const Sysctl off("lazy", 0);
        receive_pattern(in, memory.at(20 * kPage), 8 * kPage, 2);
        bytes.require_moved(0, "net.libra.lazy is 0");
        require_pattern(memory.at(20 * kPage), 8 * kPage, 2, 0, "read natively");
        send_all(out.here, memory.data(), 8 * kPage);
        require_arrival(out, 8 * kPage, 1, 0, "what was lazy before, sent");
        require_pattern(memory.data(), 8 * kPage, 1, 0, "what was lazy before");
        const Fd device(open_device());
        require(!device || (new_arena(device.get(), kRoom) < 0 && errno == EPERM),
                "a new arena while net.libra.lazy is 0");
    }
    receive_pattern(in, memory.data(), 8 * kPage, 3);
    require(bytes() > 0, "net.libra.lazy is 1 again: nothing is lazy");
    require_pattern(memory.data(), 8 * kPage, 3, 0, "afterwards");
}

CASE(account_process_limit) {
    needs_libra();
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    constexpr long kLimit = 128 << 10;
    const Sysctl limit("max_process_bytes", kLimit);
    const Moved charge("anchor_charge_live");
    const Moved bytes("lazy_rx_bytes");
    for (std::size_t part = 0; part < 8; ++part) {
        receive_pattern(in, memory.at(part * 20 * kPage), 20 * kPage, part + 1);
        require(charge() <= kLimit + 64 * 1024,
                std::to_string(charge()) + " bytes are charged, the limit is 131072");
    }
    require(bytes() > 0, "nothing was lazy");
    require(bytes() < 8 * 20 * 4096, "all was lazy, whatever the limit");
    for (std::size_t part = 0; part < 8; ++part) {
        send_all(out.here, memory.at(part * 20 * kPage), 20 * kPage);
        require_arrival(out, 20 * kPage, part + 1, 0, "sent, part " + std::to_string(part));
        require_pattern(memory.at(part * 20 * kPage), 20 * kPage, part + 1, 0, "in memory");
    }
    // What was given back may be used again.
    memory.discard();
    const Moved again("lazy_rx_bytes");
    receive_pattern(in, memory.data(), 10 * kPage, 50);
    require(again() > 0, "after the discard nothing is lazy");
    require_pattern(memory.data(), 10 * kPage, 50, 0, "after the discard");
}

// In namespaces of their own, and each keeps as much as it may until they are told to end.
class Hoarders {
  public:
    Hoarders(std::size_t count, int namespaces) {
        for (std::size_t number = 0; number < count; ++number)
            children_.push_back(std::make_unique<Child>([&] { hoard(namespaces); }));
        take(word_.peer, count);
    }
    void end() {
        send_all(word_.peer, std::string(children_.size(), '.'));
        for (const auto& child : children_)
            child->wait("one that keeps all it can");
    }

  private:
    void hoard(int namespaces) {
        if (::unshare(namespaces) != 0)
            skip("no namespaces");
        bring_up_loopback();
        const Link link;
        const Arena memory(8 << 20);
        const Moved refused("fallback_machine_limit");
        for (std::size_t at = 0; refused() == 0; at += 64 << 10) {
            require(at < memory.size(), "there is no limit");
            receive_pattern(link, memory.at(at), 64 << 10, 1);
        }
        send_all(word_.here, ".", 1);
        take(word_.here, 1);
    }

    Link word_;
    std::vector<std::unique_ptr<Child>> children_;
};

// Of what all may keep a namespace leaves some to others, and so do all together of which
// anybody may make as many as he likes.
CASE(account_machine_limit) {
    needs_libra();
    if (!::getenv("LIBRA_KERNEL"))
        skip("the limit is the machine's: only in a virtual machine");
    const Tuned limit("/sys/module/libra/parameters/max_bytes", 4 << 20);
    for (const auto& [count, namespaces] :
         {std::pair{1U, CLONE_NEWNET}, std::pair{16U, CLONE_NEWUSER | CLONE_NEWNET}}) {
        // Before there is an arena: a child's is charged to the namespace of its parent's.
        Hoarders hoarders(count, namespaces);
        const Link link;
        const Arena memory(kRoom);
        const Moved bytes("lazy_rx_bytes");
        receive_pattern(link, memory.data(), 256 << 10, 2);
        hoarders.end();
        require(
            bytes() >= 192 << 10,
            std::to_string(bytes()) + " bytes of 256 KB were lazy beside " + std::to_string(count));
    }
}

// A process's memory in /proc/self/status and the like is readable whatever is lazy.
CASE(account_proc_files) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), 32 * kPage, 1);
    *memory.at(kPage) ^= 0;
    for (const char* name : {"maps", "smaps", "smaps_rollup", "status", "statm", "numa_maps"}) {
        std::ifstream file(std::string("/proc/self/") + name);
        std::string line;
        std::size_t lines = 0;
        while (std::getline(file, line))
            ++lines;
        require(lines > 0 || std::string(name) == "numa_maps", name);
    }
    require_pattern(memory.data(), 32 * kPage, 1, 0, "afterwards");
}

}  // namespace
}  // namespace libra::test
