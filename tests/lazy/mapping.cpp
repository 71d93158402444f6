// SPDX-License-Identifier: GPL-2.0-only
// Whatever happens to a mapping, its bytes are exact, or the call says no at once.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "arena.h"
#include "ended.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 24 * kPage;

CASE(map_unmap_a_part) {
    const LazyProof proof;
    const Link link;
    for (const auto& [from, pages] :
         {std::pair<std::size_t, std::size_t>{0, 3}, {5, 1}, {10, 8}, {20, 44}}) {
        const Arena memory(kRoom);
        receive_pattern(link, memory.data(), kSize, 1);
        require_pattern(memory.at(6 * kPage), from == 0 ? 0 : kPage, 1, 6 * kPage, "one page");
        require_call(::munmap(memory.at(from * kPage), pages * kPage) == 0, "munmap");
        const std::size_t begin = from * kPage;
        const std::size_t end = (from + pages) * kPage;
        require_pattern(memory.data(), begin, 1, 0, "before the hole");
        if (end < kSize)
            require_pattern(memory.at(end), kSize - end, 1, end, "behind the hole");
        require_equal(signal_of([&] { *static_cast<volatile char*>(memory.at(begin)) = 1; }),
                      SIGSEGV, "the hole");
        if (end + 4 * kPage <= memory.size()) {
            receive_pattern(link, memory.at(end), 4 * kPage, 2);
            require_pattern(memory.at(end), 4 * kPage, 2, 0, "received behind the hole");
        }
    }
    proof.require_some();
}

CASE(map_unmap_page_by_page) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    for (std::size_t page = 0; page < 24; page += 2)
        require_call(::munmap(memory.at(page * kPage), kPage) == 0, "munmap");
    for (std::size_t page = 1; page < 24; page += 2) {
        require_pattern(memory.at(page * kPage), kPage, 1, page * kPage, "a page that is left");
        receive_pattern(link, memory.at(page * kPage), kPage, 100 + page);
        require_pattern(memory.at(page * kPage), kPage, 100 + page, 0, "received into it");
    }
}

// Ordinary memory in its place is ordinary memory.
CASE(map_replace) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_call(::mmap(memory.at(4 * kPage), 4 * kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED,
                 "mmap");
    require_bytes(memory.at(4 * kPage), 4 * kPage, 0, "what is new");
    require_pattern(memory.data(), 4 * kPage, 1, 0, "before it");
    require_pattern(memory.at(8 * kPage), kSize - 8 * kPage, 1, 8 * kPage, "behind it");
    receive_pattern(link, memory.data(), kSize, 2);
    require_pattern(memory.data(), kSize, 2, 0, "received over all");
    Child child([&] {
        require_pattern(memory.data(), kSize, 2, 0, "in a child");
        std::memset(memory.data(), 'c', kSize);
    });
    child.wait("the child");
    require_pattern(memory.data(), kSize, 2, 0, "after the child");
}

// The same address, used again by another arena.
CASE(map_again_and_again) {
    const LazyProof proof;
    const Link link;
    for (std::uint64_t round = 1; round <= 100; ++round) {
        const Arena memory(kRoom);
        require_equal(+*memory.at(round % 24 * kPage), 0, "fresh memory");
        receive_pattern(link, memory.data(), kSize, round);
        require_pattern(memory.at(round % 23 * kPage), kPage, round, round % 23 * kPage, "a page");
    }
    proof.require_some();
}

CASE(map_protect) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_call(::mprotect(memory.at(2 * kPage), 8 * kPage, PROT_READ) == 0, "PROT_READ");
    require_equal(signal_of([&] { *static_cast<volatile char*>(memory.at(3 * kPage)) = 1; }),
                  SIGSEGV, "a write to PROT_READ");
    require_pattern(memory.data(), 12 * kPage, 1, 0, "with PROT_READ");
    require_call(::mprotect(memory.at(12 * kPage), 8 * kPage, PROT_NONE) == 0, "PROT_NONE");
    require_equal(signal_of([&] {
                      if (*static_cast<volatile char*>(memory.at(13 * kPage)) == 1)
                          ::usleep(1);
                  }),
                  SIGSEGV, "a read of PROT_NONE");
    require_call(::mprotect(memory.data(), kSize, PROT_READ | PROT_WRITE) == 0, "and back");
    require_pattern(memory.data(), kSize, 1, 0, "afterwards");
    receive_pattern(link, memory.data(), kSize, 2);
    require_pattern(memory.data(), kSize, 2, 0, "received afterwards");
    *memory.at(3 * kPage) = 'w';
    require_equal(*memory.at(3 * kPage), 'w', "written afterwards");
    proof.require_some();
}

CASE(map_protect_and_send) {
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    receive_pattern(in, memory.data(), kSize, 1);
    require_call(::mprotect(memory.data(), kSize, PROT_READ) == 0, "PROT_READ");
    send_all(out.here, memory.data(), kSize);
    require_arrival(out, kSize, 1, 0, "from PROT_READ");
    require_call(::mprotect(memory.at(4 * kPage), 4 * kPage, PROT_NONE) == 0, "PROT_NONE");
    const ssize_t count = ::send(out.here.get(), memory.data(), kSize, 0);
    require(count <= static_cast<ssize_t>(4 * kPage) && (count > 0 || errno == EFAULT),
            "what cannot be read was sent: " + std::to_string(count));
    if (count > 0)
        require_arrival(out, static_cast<std::size_t>(count), 1, 0, "before the wall");
    const ssize_t none = ::send(out.here.get(), memory.at(5 * kPage), kPage, 0);
    require(none < 0 && errno == EFAULT, "send from PROT_NONE: " + std::to_string(none));
    require_call(::mprotect(memory.data(), kSize, PROT_READ | PROT_WRITE) == 0, "and back");
    require_pattern(memory.data(), kSize, 1, 0, "afterwards");
}

CASE(map_protection_key) {
    const Link link;
    const Arena memory(kRoom);
    const int key = ::pkey_alloc(0, 0);
    if (key < 0)
        skip("no protection keys");
    receive_pattern(link, memory.data(), kSize, 1);
    require_call(::pkey_mprotect(memory.at(4 * kPage), 8 * kPage, PROT_READ | PROT_WRITE, key) == 0,
                 "pkey_mprotect");
    require_pattern(memory.data(), kSize, 1, 0, "with a key");
    require_call(::pkey_set(key, PKEY_DISABLE_ACCESS) == 0, "pkey_set");
    feed(link, kPage, 2);
    const ssize_t count = ::recv(link.here.get(), memory.at(6 * kPage), kPage, 0);
    require(count < 0 && errno == EFAULT, "recv behind a key: " + std::to_string(count));
    const Link out;
    const ssize_t sent = ::send(out.here.get(), memory.at(6 * kPage), kPage, 0);
    require(sent < 0 && errno == EFAULT, "send behind a key: " + std::to_string(sent));
    require_call(::pkey_set(key, 0) == 0, "pkey_set");
    require_pattern(memory.data(), kSize, 1, 0, "afterwards");
    require_equal(take(link.here, kPage), pattern(kPage, 2), "what was not received");
}

struct Advice {
    int value;
    const char* name;
    std::vector<int> errors = {};  // it may say no with these
    bool zeros = false;            // or succeed, and leave zeros
};

CASE(map_advice) {
    const Advice all[] = {
        {MADV_NORMAL, "MADV_NORMAL"},
        {MADV_RANDOM, "MADV_RANDOM"},
        {MADV_SEQUENTIAL, "MADV_SEQUENTIAL"},
        {MADV_WILLNEED, "MADV_WILLNEED", {EBADF}},
        {MADV_DONTFORK, "MADV_DONTFORK"},
        {MADV_DOFORK, "MADV_DOFORK", {EINVAL}},
        {MADV_MERGEABLE, "MADV_MERGEABLE", {EINVAL}},
        {MADV_UNMERGEABLE, "MADV_UNMERGEABLE", {EINVAL}},
        {MADV_HUGEPAGE, "MADV_HUGEPAGE", {EINVAL}},
        {MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE", {EINVAL}},
        {MADV_DONTDUMP, "MADV_DONTDUMP"},
        {MADV_DODUMP, "MADV_DODUMP", {EINVAL}},
        {MADV_COLD, "MADV_COLD", {EINVAL}},
        {MADV_PAGEOUT, "MADV_PAGEOUT", {EINVAL}},
        {22 /* MADV_POPULATE_READ */, "MADV_POPULATE_READ", {EINVAL}},
        {23 /* MADV_POPULATE_WRITE */, "MADV_POPULATE_WRITE", {EINVAL}},
        {25 /* MADV_COLLAPSE */, "MADV_COLLAPSE", {EINVAL}},
        {MADV_KEEPONFORK, "MADV_KEEPONFORK", {EINVAL}},
        {MADV_DONTNEED, "MADV_DONTNEED", {EINVAL}, true},
        {24 /* MADV_DONTNEED_LOCKED */, "MADV_DONTNEED_LOCKED", {EINVAL}, true},
        {MADV_FREE, "MADV_FREE", {EINVAL}, true},
        {MADV_REMOVE, "MADV_REMOVE", {EINVAL, EOPNOTSUPP, EACCES}, true},
    };
    const Link in;
    const Link out;
    for (const Advice& advice : all) {
        const std::string what = advice.name;
        const Arena memory(kRoom);
        receive_pattern(in, memory.data(), kSize, 1);
        require_pattern(memory.at(5 * kPage), kPage, 1, 5 * kPage, what + ", before");
        const int result = ::madvise(memory.at(2 * kPage), 8 * kPage, advice.value);
        if (result != 0) {
            bool known = false;
            for (const int error : advice.errors)
                known = known || errno == error;
            require_call(known, what);
        }
        require_pattern(memory.data(), 2 * kPage, 1, 0, what + ", before the range");
        require_pattern(memory.at(10 * kPage), kSize - 10 * kPage, 1, 10 * kPage,
                        what + ", behind the range");
        for (std::size_t page = 2; page < 10; ++page) {
            const bool zero = advice.zeros && result == 0 && *memory.at(page * kPage) == 0 &&
                              *memory.at(page * kPage + 1) == 0;
            if (zero)
                require_bytes(memory.at(page * kPage), kPage, 0, what + ", zeros");
            else
                require_pattern(memory.at(page * kPage), kPage, 1, page * kPage,
                                what + ", page " + std::to_string(page));
        }
        receive_pattern(in, memory.data(), kSize, 2);
        send_all(out.here, memory.data(), kSize);
        require_arrival(out, kSize, 2, 0, what + ", sent afterwards");
        require_pattern(memory.data(), kSize, 2, 0, what + ", received afterwards");
    }
}

// A child has zeros, or the call says no.
CASE(map_wipe_on_fork) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    const bool taken = ::madvise(memory.data(), kSize, MADV_WIPEONFORK) == 0;
    require(taken || errno == EINVAL, "MADV_WIPEONFORK");
    Child child([&] {
        if (taken)
            require_bytes(memory.data(), kSize, 0, "the child's");
        else
            require_pattern(memory.data(), kSize, 1, 0, "the child's");
    });
    child.wait("the child");
    require_pattern(memory.data(), kSize, 1, 0, "the parent's");
}

// A child does not have it, whatever is lazy.
CASE(map_not_in_children) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_call(::madvise(memory.at(4 * kPage), 4 * kPage, MADV_DONTFORK) == 0, "MADV_DONTFORK");
    require_equal(signal_of([&] { *static_cast<volatile char*>(memory.at(5 * kPage)) = 1; }),
                  SIGSEGV, "in the child");
    Child child([&] {
        require_pattern(memory.data(), 4 * kPage, 1, 0, "the child's first pages");
        require_pattern(memory.at(8 * kPage), kSize - 8 * kPage, 1, 8 * kPage, "the child's rest");
        const Link own;
        receive_pattern(own, memory.at(10 * kPage), 4 * kPage, 2);
        require_pattern(memory.at(10 * kPage), 4 * kPage, 2, 0, "the child's own");
    });
    child.wait("the child");
    require_pattern(memory.data(), kSize, 1, 0, "the parent's");
}

CASE(map_discard) {
    const LazyProof proof;
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    for (std::uint64_t round = 1; round <= 20; ++round) {
        const std::size_t from = round % 7;
        const std::size_t pages = 1 + round % 11;
        receive_pattern(in, memory.data(), kSize, round);
        if (round % 2 == 0)
            require_pattern(memory.at(from * kPage), kPage, round, from * kPage, "touched");
        memory.discard(from * kPage, pages * kPage);
        if (round % 3 == 0) {
            send_all(out.here, memory.at(from * kPage), pages * kPage);
            require_bytes(take(out.peer, pages * kPage).data(), pages * kPage, 0, "sent");
        }
        require_bytes(memory.at(from * kPage), pages * kPage, 0, "what was discarded");
        require_pattern(memory.data(), from * kPage, round, 0, "before it");
        const std::size_t end = (from + pages) * kPage;
        require_pattern(memory.at(end), kSize - end, round, end, "behind it");
    }
    // Across a hole, and beyond the end.
    receive_pattern(in, memory.data(), kSize, 50);
    require_call(::munmap(memory.at(4 * kPage), kPage) == 0, "munmap");
    if (memory.is_payload())
        memory.discard(2 * kPage, memory.size());
    else
        memory.discard(5 * kPage, memory.size() - 5 * kPage);
    require_bytes(memory.at(5 * kPage), kSize - 5 * kPage, 0, "behind the hole");
    proof.require_some();
}

CASE(map_discard_after_fork) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_pattern(memory.at(kPage), kPage, 1, kPage, "one page");
    Child child([&] {
        memory.discard(0, 4 * kPage);
        require_bytes(memory.data(), 4 * kPage, 0, "what the child discarded");
        require_pattern(memory.at(4 * kPage), kSize - 4 * kPage, 1, 4 * kPage, "the child's rest");
    });
    child.wait("the child");
    require_pattern(memory.data(), kSize, 1, 0, "the parent's");
}

// Shrunk, grown, moved: exact, or refused.
CASE(map_remap) {
    const Link link;
    struct Change {
        const char* what;
        std::size_t before, after;
        int flags;
    };
    for (const Change& change :
         {Change{"shrink", kRoom, kRoom / 2, 0}, Change{"grow in place", kRoom / 2, kRoom, 0},
          Change{"grow anywhere", kRoom, 4 * kRoom, MREMAP_MAYMOVE},
          Change{"a part", kSize / 2, kSize / 4, MREMAP_MAYMOVE},
          Change{"grow a part", kSize / 2, kRoom, MREMAP_MAYMOVE}}) {
        Arena memory(kRoom);
        receive_pattern(link, memory.data(), kSize, 1);
        if (change.before == kRoom / 2)
            require_call(::munmap(memory.at(kRoom / 2), kRoom / 2) == 0, "munmap");
        void* moved = ::mremap(memory.data(), change.before, change.after, change.flags);
        const char* now = memory.data();
        std::size_t have = std::min(kSize, change.before);
        if (moved == MAP_FAILED) {
            require(errno == EINVAL || errno == ENOMEM || errno == EFAULT || errno == EPERM,
                    std::string(change.what) + ": errno " + std::strerror(errno));
        } else {
            now = static_cast<char*>(moved);
            have = std::min(have, change.after);
            if (change.after > change.before && change.before == kRoom / 2) {
                const int died = signal_of([&] {
                    require_bytes(now + change.before, change.after - change.before, 0, "new");
                });
                require_equal(died, 0, "what it grew by");
            }
        }
        require_pattern(now, have, 1, 0, change.what);
        receive_pattern(link, const_cast<char*>(now), have, 2);
        require_pattern(now, have, 2, 0, std::string(change.what) + ", received afterwards");
        if (moved != MAP_FAILED && moved != memory.data()) {
            ::munmap(moved, change.after);
            if (change.before == kRoom)
                memory.forget();
        }
    }
}

// The part that is new was never mapped by itself.
CASE(map_discard_what_grew) {
    const Link link;
    const Arena memory(kRoom);
    constexpr std::size_t kHalf = kRoom / 2;
    require_call(::munmap(memory.at(kHalf), kHalf) == 0, "munmap");
    require_call(::mremap(memory.data(), kHalf, kRoom, 0) == memory.data(), "mremap, growing");
    receive_pattern(link, memory.at(kHalf - 2 * kPage), 8 * kPage, 1);
    memory.discard(kHalf - kPage, 3 * kPage);
    require_pattern(memory.at(kHalf - 2 * kPage), kPage, 1, 0, "before what was discarded");
    require_bytes(memory.at(kHalf - kPage), 3 * kPage, 0, "what was discarded");
    require_pattern(memory.at(kHalf + 2 * kPage), 4 * kPage, 1, 4 * kPage, "behind it");
}

CASE(map_remap_to_a_place) {
    const Link link;
    const Arena memory(kRoom);
    Arena target(kRoom, Kind::kOrdinary);
    receive_pattern(link, memory.data(), kSize, 1);
    std::memset(target.data(), 't', kRoom);
    void* moved =
        ::mremap(memory.data(), kSize, kSize, MREMAP_MAYMOVE | MREMAP_FIXED, target.data());
    if (moved == MAP_FAILED)
        require_pattern(memory.data(), kSize, 1, 0, "where it was");
    else
        require_pattern(target.data(), kSize, 1, 0, "where it is");
    void* copy = ::mremap(memory.data(), 0, kSize, MREMAP_MAYMOVE);
    if (copy != MAP_FAILED && !setting().plain)
        throw Failed("mremap of size 0 gave a second mapping");
}

CASE(map_locked) {
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    receive_pattern(in, memory.data(), kSize, 1);
    require_call(::mlock(memory.at(2 * kPage), 8 * kPage) == 0, "mlock");
    require_pattern(memory.data(), kSize, 1, 0, "locked");
    receive_pattern(in, memory.data(), kSize, 2);
    std::vector<unsigned char> resident(8);
    require_call(::mincore(memory.at(2 * kPage), 8 * kPage, resident.data()) == 0, "mincore");
    send_all(out.here, memory.data(), kSize);
    require_arrival(out, kSize, 2, 0, "sent, locked");
    require_pattern(memory.data(), kSize, 2, 0, "received, locked");
    require_call(::munlock(memory.at(2 * kPage), 8 * kPage) == 0, "munlock");
    receive_pattern(in, memory.data(), kSize, 3);
    require_pattern(memory.data(), kSize, 3, 0, "unlocked");
    require_call(::mlockall(MCL_CURRENT | MCL_FUTURE) == 0, "mlockall");
    receive_pattern(in, memory.data(), kSize, 4);
    require_pattern(memory.data(), kSize, 4, 0, "all locked");
    {
        const Arena later(kRoom);
        receive_pattern(in, later.data(), kSize, 5);
        require_pattern(later.data(), kSize, 5, 0, "a later arena, locked");
    }
    Child child([&] { require_pattern(memory.data(), kSize, 4, 0, "the child of a locked one"); });
    child.wait("the child");
    require_call(::munlockall() == 0, "munlockall");
    receive_pattern(in, memory.data(), kSize, 6);
    require_pattern(memory.data(), kSize, 6, 0, "all unlocked");
    require_call(::mlock2(memory.data(), kSize, MLOCK_ONFAULT) == 0, "MLOCK_ONFAULT");
    receive_pattern(in, memory.data(), kSize, 7);
    require_pattern(memory.data(), kSize, 7, 0, "locked when touched");
}

CASE(map_userfaultfd) {
    const Link link;
    const Arena memory(kRoom);
    if (setting().plain)
        skip("ordinary memory takes it");
    const Fd fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
    uffdio_api api = {};
    api.api = UFFD_API;
    if (!fd || ::ioctl(fd.get(), UFFDIO_API, &api) != 0)
        skip("no userfaultfd");
    uffdio_register range = {};
    range.range.start = reinterpret_cast<std::uint64_t>(memory.data());
    range.range.len = kSize;
    for (const std::uint64_t mode : {UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP}) {
        range.mode = mode;
        require(::ioctl(fd.get(), UFFDIO_REGISTER, &range) != 0, "userfaultfd took it");
        require_equal(std::string(std::strerror(errno)), std::strerror(EINVAL), "userfaultfd");
    }
    receive_pattern(link, memory.data(), kSize, 1);
    require_pattern(memory.data(), kSize, 1, 0, "afterwards");
}

}  // namespace
}  // namespace libra::test
