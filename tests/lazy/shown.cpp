// SPDX-License-Identifier: GPL-2.0-only
// What the kernel tells of payload memory: what it says shows, and nothing else does.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "arena.h"
#include "counted.h"
#include "ended.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "rounds.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 2 << 20;
constexpr std::size_t kSize = 24 * kPage;

// The lines of this mapping in smaps; the first is that of maps.
std::vector<std::string> smaps_of(const Arena& memory) {
    std::ostringstream start;
    start << std::hex << reinterpret_cast<std::uintptr_t>(memory.data()) << '-';
    std::ifstream smaps("/proc/self/smaps");
    std::vector<std::string> lines;
    for (std::string line; std::getline(smaps, line);) {
        const bool header = line.find(':') > line.find(' ');
        if (header && !lines.empty())
            break;
        if (!lines.empty() || line.starts_with(start.str()))
            lines.push_back(line);
    }
    require(!lines.empty(), "the mapping is not in smaps");
    return lines;
}

long kilobytes(const std::vector<std::string>& lines, const std::string& name) {
    for (const std::string& line : lines)
        if (line.starts_with(name + ":"))
            return std::stol(line.substr(name.size() + 1));
    throw Failed("no " + name);
}

long rss_of_files() {
    std::ifstream status("/proc/self/status");
    std::vector<std::string> lines;
    for (std::string line; std::getline(status, line);)
        lines.push_back(line);
    return kilobytes(lines, "RssFile");
}

std::vector<bool> present(const Arena& memory, std::size_t pages) {
    // Not by a stream, which reads odd numbers of bytes.
    const Fd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    std::vector<std::uint64_t> entries(pages);
    const auto at = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(memory.data()) / kPage * 8);
    require_call(
        ::pread(pagemap.get(), entries.data(), pages * 8, at) == static_cast<ssize_t>(pages * 8),
        "pagemap");
    std::vector<bool> there;
    for (const std::uint64_t entry : entries)
        there.push_back(entry >> 63);
    return there;
}

CASE(shown_maps) {
    needs_libra();
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    std::vector<std::string> lines = smaps_of(memory);
    require(lines.front().find(" rw-s ") != std::string::npos &&
                lines.front().ends_with("/payload (deleted)"),
            lines.front());
    require_equal(kilobytes(lines, "Rss"), 0, "Rss of what is lazy");
    require_pattern(memory.at(2 * kPage), 5 * kPage, 1, 2 * kPage, "touched");
    lines = smaps_of(memory);
    require_equal(kilobytes(lines, "Rss"), 20, "Rss of five pages");
    require_equal(kilobytes(lines, "Swap"), 0, "Swap");
    const std::vector<bool> there = present(memory, kSize / kPage);
    for (std::size_t page = 0; page < there.size(); ++page)
        require_equal(there[page], page >= 2 && page < 7, "page " + std::to_string(page));
    // Nor do these change a byte.
    for (const char* what : {"1", "2", "3", "4"})
        std::ofstream("/proc/self/clear_refs") << what << std::flush;
    require_pattern(memory.data(), kSize, 1, 0, "after clear_refs");
    receive_pattern(link, memory.data(), kSize, 2);
    require_pattern(memory.data(), kSize, 2, 0, "after clear_refs, received");
}

CASE(shown_rss) {
    needs_libra();
    const Arena memory(kRoom);
    const long before = rss_of_files();
    for (std::size_t at = 0; at < kRoom; at += kPage)
        *memory.at(at) = 'x';
    // Each processor keeps up to 32 pages to itself.
    const long more = rss_of_files() - before;
    require(more > 1000 && more < 3200, "RssFile of 2 MB: " + std::to_string(more) + " kB");
    memory.discard();
    require(rss_of_files() - before < 1000, "RssFile of what was discarded");
}

// There is no zero page in it.
CASE(shown_read_only) {
    needs_libra();
    const Arena memory(kRoom);
    const Moved pages("payload_pages");
    for (std::size_t page = 0; page < 50; ++page)
        require_equal(+*memory.at(page * kPage), 0, "untouched memory");
    pages.require_moved(50, "pages that were read");
}

CASE(shown_mincore) {
    needs_libra();
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_pattern(memory.at(2 * kPage), 3 * kPage, 1, 2 * kPage, "touched");
    std::vector<unsigned char> resident(kSize / kPage + 8);
    const auto look = [&] {
        require_call(::mincore(memory.data(), resident.size() * kPage, resident.data()) == 0,
                     "mincore");
    };
    look();
    for (std::size_t page = 0; page < resident.size(); ++page)
        require_equal(resident[page] & 1, page >= 2 && page < 5, "page " + std::to_string(page));
    Child child([&] {
        require_call(::setuid(65534) == 0, "setuid");
        look();
        for (const unsigned char page : resident)
            require_equal(page & 1, 1, "a page of another user");
    });
    child.wait("another user");
    require_pattern(memory.data(), kSize, 1, 0, "afterwards");
}

// What both kinds of memory say; a kernel without these calls says so for both.
std::string said(long result) {
    return result >= 0 ? std::to_string(result) : std::strerror(errno);
}

CASE(shown_numa) {
    needs_libra();
    constexpr int kBind = 2;
    const Link link;
    const Arena memory(kRoom);
    const Arena ordinary(kRoom, Kind::kOrdinary);
    const unsigned long node = 1;
    const auto both = [&](const std::string& what, auto call) {
        const std::string expected = said(call(ordinary));
        require_equal(said(call(memory)), expected, what);
    };
    receive_pattern(link, memory.data(), kSize, 1);
    std::memset(ordinary.data(), 'o', kSize);
    require_pattern(memory.data(), 4 * kPage, 1, 0, "touched");
    for (const unsigned flags : {0U, 1U /* MPOL_MF_STRICT */, 2U /* MPOL_MF_MOVE */, 3U})
        both("mbind", [&](const Arena& m) {
            return ::syscall(SYS_mbind, m.at(2 * kPage), 4 * kPage, kBind, &node, 64, flags);
        });
    both("set_mempolicy",
         [&](const Arena&) { return ::syscall(SYS_set_mempolicy, kBind, &node, 64); });
    both("migrate_pages",
         [&](const Arena&) { return ::syscall(SYS_migrate_pages, 0, 64, &node, &node); });
    int status[8] = {};
    int nodes[8] = {};
    for (const bool move : {false, true}) {
        both("move_pages", [&](const Arena& m) {
            void* pages[8];
            for (std::size_t page = 0; page < 8; ++page)
                pages[page] = m.at(page * kPage);
            std::memset(status, 0x55, sizeof(status));
            return ::syscall(SYS_move_pages, 0, 8, pages, move ? nodes : nullptr, status, 2);
        });
        if (status[0] == 0x55555555)
            continue;
        for (int page = 0; page < 8; ++page)
            require_equal(status[page], page < 4 ? 0 : -ENOENT,
                          "move_pages, page " + std::to_string(page));
    }
    require_pattern(memory.data(), kSize, 1, 0, "afterwards");
    receive_pattern(link, memory.data(), kSize, 2);
    require_pattern(memory.data(), kSize, 2, 0, "received afterwards");
    ::syscall(SYS_set_mempolicy, 0, nullptr, 0);
}

// Pages that are alike stay apart, and are what they were.
CASE(shown_ksm) {
    const std::string ksm = "/sys/kernel/mm/ksm/";
    if (!::getenv("LIBRA_KERNEL"))
        skip("KSM is the machine's: only in a virtual machine");
    if (!std::ifstream(ksm + "run"))
        skip("no KSM");
    const auto scans = [&] {
        long count = 0;
        std::ifstream(ksm + "full_scans") >> count;
        return count;
    };
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    for (std::size_t page = 0; page < 16; ++page)
        receive_pattern(link, memory.at(page * kPage), kPage, 1);
    require_pattern(memory.at(2 * kPage), kPage, 1, 0, "touched");
    require_pattern(memory.at(3 * kPage), kPage, 1, 0, "touched");
    std::ofstream(ksm + "sleep_millisecs") << 1 << std::flush;
    std::ofstream(ksm + "pages_to_scan") << 10'000 << std::flush;
    std::ofstream(ksm + "run") << 1 << std::flush;
    const AtEnd stop([&] { std::ofstream(ksm + "run") << 2 << std::flush; });
    require_call(::madvise(memory.data(), kRoom, MADV_MERGEABLE) == 0, "MADV_MERGEABLE");
    constexpr int kSetMerge = 67;
    require_call(::prctl(kSetMerge, 1, 0, 0, 0) == 0, "PR_SET_MEMORY_MERGE");
    for (const long end = scans() + 3; scans() < end;)
        ::usleep(10'000);
    require_equal(kilobytes(smaps_of(memory), "KSM"), 0, "merged");
    for (std::size_t page = 0; page < 16; ++page)
        require_pattern(memory.at(page * kPage), kPage, 1, 0, "one of many alike");
    *memory.at(2 * kPage) ^= 1;
    require_pattern(memory.at(3 * kPage), kPage, 1, 0, "beside the one that was written");
    receive_pattern(link, memory.data(), kSize, 2);
    require_pattern(memory.data(), kSize, 2, 0, "received afterwards");
    proof.require_some();
}

// Memory is moved about while it is received into and looked at.
CASE(shown_compacted) {
    const LazyProof proof;
    if (!::getenv("LIBRA_KERNEL"))
        skip("changes the machine's state: only in a virtual machine");
    const Link link;
    const Arena memory(kRoom);
    Rounds receiving;
    Workers workers;
    workers.start([&] {
        while (!receiving.over()) {
            std::ofstream("/proc/sys/vm/compact_memory") << 1 << std::flush;
            std::ofstream("/proc/sys/vm/drop_caches") << 1 << std::flush;
        }
    });
    workers.start([&] {
        std::string seen(2 * kPage, '\0');
        while (!receiving.over())
            receiving.require_old_or_new(
                seen, 100, [&] { std::memcpy(seen.data(), memory.at(100), seen.size()); },
                "a reader");
    });
    {
        const AtEnd stop([&] { receiving.stop(); });
        for (std::uint64_t round = 1; round <= 60; ++round) {
            feed(link, kSize, round);
            receiving.begin(round);
            receive_all(link.here, memory.data(), kSize);
            receiving.end(round);
            require_pattern(memory.at(round % 20 * kPage), 4 * kPage, round, round % 20 * kPage,
                            "while memory is compacted");
        }
    }
    workers.join();
    proof.require_some();
}

// A page that the machine lost is SIGBUS, the others are what they were.
CASE(shown_poisoned) {
    needs_libra();
    if (!::getenv("LIBRA_KERNEL"))
        skip("no memory is to be lost but in a virtual machine");
    constexpr int kSoftOffline = 101;
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_pattern(memory.at(2 * kPage), 4 * kPage, 1, 2 * kPage, "touched");
    if (::madvise(memory.at(2 * kPage), kPage, kSoftOffline) != 0 && errno == EINVAL)
        skip("no poisoned memory");
    require_equal(std::string(std::strerror(errno)), std::strerror(EIO), "MADV_SOFT_OFFLINE");
    require_pattern(memory.data(), kSize, 1, 0, "after MADV_SOFT_OFFLINE");
    receive_pattern(link, memory.data(), kSize, 2);
    require_pattern(memory.at(2 * kPage), 4 * kPage, 2, 2 * kPage, "touched");
    require(::madvise(memory.at(4 * kPage), kPage, MADV_HWPOISON) != 0, "MADV_HWPOISON succeeds");
    require_equal(std::string(std::strerror(errno)), std::strerror(EBUSY), "MADV_HWPOISON");
    const auto write_to_it = [&] { *static_cast<volatile char*>(memory.at(4 * kPage)) = 1; };
    require_equal(signal_of(write_to_it), SIGBUS, "a poisoned page, in a child");
    require_pattern(memory.data(), 4 * kPage, 2, 0, "before it");
    require_pattern(memory.at(5 * kPage), kSize - 5 * kPage, 2, 5 * kPage, "behind it");
    receive_pattern(link, memory.data(), kSize, 3);
    require_pattern(memory.data(), 4 * kPage, 3, 0, "received before it");
    require_pattern(memory.at(5 * kPage), kSize - 5 * kPage, 3, 5 * kPage, "received behind it");
    require_equal(signal_of(write_to_it), SIGBUS, "a poisoned page, received over");
    memory.discard(4 * kPage, kPage);
    require_bytes(memory.at(4 * kPage), kPage, 0, "discarded");
    receive_pattern(link, memory.data(), kSize, 4);
    require_pattern(memory.data(), kSize, 4, 0, "received afterwards");
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
