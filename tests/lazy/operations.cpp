// SPDX-License-Identifier: GPL-2.0-only
// What the documentation says of each memory operation, to the errno; where it says
// "exact", what private memory says.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "arena.h"
#include "counted.h"
#include "ended.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 24 * kPage;

// What this kernel's headers may lack.
constexpr int kPopulateRead = 22;
constexpr int kPopulateWrite = 23;
constexpr int kDontNeedLocked = 24;
constexpr int kCollapse = 25;
constexpr int kGuardInstall = 102;
constexpr int kGuardRemove = 103;
constexpr long kSysMseal = 462;

std::string error_name(long result) {
    return result == 0 ? "0" : std::strerror(errno);
}

std::string error_name_of(int error) {
    return error == 0 ? "0" : std::strerror(error);
}

// Some pages of which some were looked at.
class Received {
  public:
    Received() : memory(kRoom) {
        receive_pattern(link, memory.data(), kSize, 1);
        require_pattern(memory.at(5 * kPage), 3 * kPage, 1, 5 * kPage, "before");
    }
    void require_unchanged(const std::string& what) const {
        require_pattern(memory.data(), kSize, 1, 0, what);
        receive_pattern(link, memory.data(), kSize, 2);
        require_pattern(memory.data(), kSize, 2, 0, what + ", received afterwards");
        receive_pattern(link, memory.data(), kSize, 1);
    }

    const Link link;
    const LazyProof proof;
    const Arena memory;
};

int mappings_of_payload() {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("/payload") != std::string::npos;
    return count;
}

constexpr int kAsPrivate = -1;

struct Advice {
    int value;
    const char* name;
    int error = kAsPrivate;
};

CASE(op_advice) {
    needs_libra();
    const Advice all[] = {
        {MADV_NORMAL, "MADV_NORMAL", 0},
        {MADV_RANDOM, "MADV_RANDOM", 0},
        {MADV_SEQUENTIAL, "MADV_SEQUENTIAL", 0},
        {MADV_WILLNEED, "MADV_WILLNEED", 0},
        {MADV_DONTNEED, "MADV_DONTNEED", 0},
        {kDontNeedLocked, "MADV_DONTNEED_LOCKED", 0},
        {MADV_FREE, "MADV_FREE", EINVAL},
        {MADV_REMOVE, "MADV_REMOVE", EOPNOTSUPP},
        {MADV_WIPEONFORK, "MADV_WIPEONFORK", EINVAL},
        {MADV_KEEPONFORK, "MADV_KEEPONFORK", 0},
        {MADV_DONTFORK, "MADV_DONTFORK", 0},
        {MADV_DOFORK, "MADV_DOFORK", 0},
        {MADV_DONTDUMP, "MADV_DONTDUMP", 0},
        {MADV_DODUMP, "MADV_DODUMP", 0},
        {kPopulateRead, "MADV_POPULATE_READ", 0},
        {kPopulateWrite, "MADV_POPULATE_WRITE", 0},
        {kCollapse, "MADV_COLLAPSE", EINVAL},
        {MADV_COLD, "MADV_COLD", 0},
        {MADV_PAGEOUT, "MADV_PAGEOUT", 0},
        {MADV_MERGEABLE, "MADV_MERGEABLE"},
        {MADV_UNMERGEABLE, "MADV_UNMERGEABLE"},
        {MADV_HUGEPAGE, "MADV_HUGEPAGE"},
        {MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"},
        {12345, "an unknown one", EINVAL},
    };
    const Received received;
    const Arena ordinary(kRoom, Kind::kOrdinary);
    std::memset(ordinary.data(), 'o', kRoom);
    for (const Advice& advice : all) {
        const std::string expected =
            advice.error == kAsPrivate
                ? error_name(::madvise(ordinary.at(2 * kPage), 8 * kPage, advice.value))
                : error_name_of(advice.error);
        require_equal(error_name(::madvise(received.memory.at(2 * kPage), 8 * kPage, advice.value)),
                      expected, advice.name);
        received.require_unchanged(advice.name);
    }
    received.proof.require_some();
}

// Before 6.15 no mapping of a file can have guard regions, and payload memory is one.
bool guards_in_files() {
    const Fd file(static_cast<int>(::memfd_create("guarded", MFD_CLOEXEC)));
    require_call(static_cast<bool>(file), "memfd_create");
    require_call(::ftruncate(file.get(), kPage) == 0, "ftruncate");
    void* const map = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file.get(), 0);
    require_call(map != MAP_FAILED, "mmap");
    const bool can = ::madvise(map, kPage, kGuardInstall) == 0;
    ::munmap(map, kPage);
    return can;
}

// What is received into guarded pages meanwhile is not asked: nobody tells the module of them.
CASE(op_guard) {
    needs_libra();
    const Received received;
    char* const from = received.memory.at(2 * kPage);
    const bool can = guards_in_files();
    const std::string expected = error_name_of(can ? 0 : EINVAL);
    require_equal(error_name(::madvise(from, 8 * kPage, kGuardInstall)), expected, "to install");
    if (can) {
        for (const std::size_t page : {2U, 5U, 9U}) {
            require_equal(signal_of([&] {
                              if (*static_cast<volatile char*>(received.memory.at(page * kPage)))
                                  ::usleep(1);
                          }),
                          SIGSEGV, "guarded page " + std::to_string(page));
        }
        require_pattern(received.memory.data(), 2 * kPage, 1, 0, "before it");
        require_pattern(received.memory.at(10 * kPage), kSize - 10 * kPage, 1, 10 * kPage,
                        "behind it");
    }
    require_equal(error_name(::madvise(from, 8 * kPage, kGuardRemove)), expected, "to remove");
    received.require_unchanged("guards that came and went");
    received.proof.require_some();
}

CASE(op_advice_of_another) {
    needs_libra();
    const Received received;
    const Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    require_call(static_cast<bool>(self), "pidfd_open");
    Child child([&] {
        const iovec range = {received.memory.at(2 * kPage), 8 * kPage};
        for (const auto& [advice, error] : {std::pair{MADV_COLD, 0},
                                            {MADV_PAGEOUT, 0},
                                            {MADV_WILLNEED, 0},
                                            {kCollapse, EINVAL},
                                            {MADV_DONTNEED, EINVAL},
                                            {MADV_FREE, EINVAL}}) {
            const long result = ::syscall(SYS_process_madvise, self.get(), &range, 1, advice, 0);
            require_equal(error_name(result == static_cast<long>(8 * kPage) ? 0 : result),
                          error_name_of(error), "process_madvise " + std::to_string(advice));
        }
    });
    child.wait("who gives advice");
    received.require_unchanged("process_madvise");
}

// Of one arena: parts that are alike again, and parts that are not.
CASE(op_split_and_merge) {
    const Received received;
    const Arena& memory = received.memory;
    const int before = mappings_of_payload();
    for (const auto& [from, pages] :
         {std::pair<std::size_t, std::size_t>{4, 4}, {0, 2}, {6, 10}, {60, 4}, {0, 64}}) {
        const std::string what = "split at page " + std::to_string(from);
        require_call(::mprotect(memory.at(from * kPage), pages * kPage, PROT_READ) == 0, what);
        require_pattern(memory.data(), kSize, 1, 0, what);
        Child child([&] { require_pattern(memory.data(), kSize, 1, 0, "the child's"); });
        child.wait("the child of a split one");
        require_call(::madvise(memory.at(from * kPage), pages * kPage, MADV_DONTFORK) == 0, what);
        require_call(::madvise(memory.at(from * kPage), pages * kPage, MADV_DOFORK) == 0, what);
        require_call(::mprotect(memory.data(), kRoom, PROT_READ | PROT_WRITE) == 0, "and back");
        received.require_unchanged(what + ", and back");
    }
    if (memory.is_payload())
        require(mappings_of_payload() >= before, "mappings got lost");
    require_call(::munmap(memory.at(10 * kPage), 2 * kPage) == 0, "munmap");
    require_pattern(memory.data(), 10 * kPage, 1, 0, "before the hole");
    require_pattern(memory.at(12 * kPage), kSize - 12 * kPage, 1, 12 * kPage, "behind the hole");
}

// Two arenas without a gap stay two, whatever reaches over their border.
CASE(op_side_by_side) {
    needs_libra();
    const LazyProof proof;
    const Link link;
    const Arena room(2 * kRoom, Kind::kOrdinary);
    const Fd device(open_device());
    for (const std::size_t half : {std::size_t{0}, kRoom}) {
        const Fd fd(new_arena(device.get(), kRoom));
        require_call(::mmap(room.at(half), kRoom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                            fd.get(), 0) != MAP_FAILED,
                     "mmap over ordinary memory");
    }
    require_equal(mappings_of_payload(), 2, "mappings");
    char* from = room.at(kRoom - 7 * kPage - 100);
    for (std::uint64_t stream = 1; stream <= 5; ++stream) {
        receive_pattern(link, from, 16 * kPage, stream);
        if (stream % 2 == 0)
            require_pattern(from + 5 * kPage, 4 * kPage, stream, 5 * kPage, "over the border");
        Child child([&] { require_pattern(from, 16 * kPage, stream, 0, "the child's"); });
        child.wait("the child of two arenas");
        send_all(link.here, from, 16 * kPage);
        require_arrival(link, 16 * kPage, stream, 0, "sent over the border");
        require_pattern(from, 16 * kPage, stream, 0, "over the border");
    }
    proof.require_some();
    require_call(::mprotect(room.at(kRoom - kPage), 2 * kPage, PROT_READ) == 0, "mprotect");
    require_call(::mprotect(room.data(), 2 * kRoom, PROT_READ | PROT_WRITE) == 0, "mprotect");
    require_pattern(from, 16 * kPage, 5, 0, "after mprotect over the border");
    // Another arena over the border of the two.
    const Fd fd(new_arena(device.get(), kRoom));
    char* over = room.at(kRoom - 2 * kPage);
    require_call(::mmap(over, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd.get(),
                        0) != MAP_FAILED,
                 "mmap over the border");
    require_bytes(over, 4 * kPage, 0, "the third");
    const auto before = static_cast<std::size_t>(over - from);
    require_pattern(from, before, 5, 0, "before the third");
    require_pattern(over + 4 * kPage, 16 * kPage - before - 4 * kPage, 5, before + 4 * kPage,
                    "behind the third");
    receive_pattern(link, from, 16 * kPage, 6);
    require_pattern(from, 16 * kPage, 6, 0, "over three of them");
}

CASE(op_remap) {
    needs_libra();
    const Received received;
    const Arena& memory = received.memory;
    const Arena other(kRoom, Kind::kOrdinary);
    std::memset(other.data(), 'o', kRoom);
    const auto refused = [&](const char* what, std::size_t old_size, std::size_t size, int flags,
                             void* to = nullptr) {
        require(::mremap(memory.data(), old_size, size, flags, to) == MAP_FAILED, what);
        require_equal(error_name(-1), error_name_of(EINVAL), what);
        received.require_unchanged(what);
    };
    refused("grow and move", kRoom, 64 * kRoom, MREMAP_MAYMOVE);
    refused("move a part", 4 * kPage, 64 * kRoom, MREMAP_MAYMOVE);
    refused("a second mapping", 0, kRoom, MREMAP_MAYMOVE);
    refused("MREMAP_DONTUNMAP", kRoom, kRoom, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    refused("move to a place", 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, other.data());
    require_equal(signal_of([&] { *static_cast<volatile char*>(other.data()) = 1; }), SIGSEGV,
                  "what was at that place");
    require_bytes(other.at(4 * kPage), kRoom - 4 * kPage, 'o', "what is behind that place");

    require_call(::mremap(memory.data(), kRoom, kRoom / 2, 0) == memory.data(), "shrink");
    require_pattern(memory.data(), kSize, 1, 0, "after it shrank");
    require_equal(signal_of([&] { *static_cast<volatile char*>(memory.at(kRoom / 2)) = 1; }),
                  SIGSEGV, "what it shrank by");
    require_call(::mremap(memory.data(), kRoom / 2, kRoom, 0) == memory.data(), "grow in place");
    require_bytes(memory.at(kRoom / 2), kRoom / 2, 0, "what it grew by");
    const Moved lazy("lazy_rx_bytes");
    receive_pattern(received.link, memory.at(kRoom / 2), kSize, 7);
    lazy.require_moved(0, "received into what it grew by");
    require_pattern(memory.at(kRoom / 2), kSize, 7, 0, "received into what it grew by");
    require_pattern(memory.data(), kSize, 1, 0, "before what it grew by");
}

// Code that was received runs.
CASE(op_execute) {
    constexpr unsigned char kCode[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov $42, %eax; ret
    const Link link;
    const Arena memory(kRoom);
    std::string message = pattern(8 * kPage, 1);
    message.replace(3 * kPage, sizeof(kCode), reinterpret_cast<const char*>(kCode), sizeof(kCode));
    for (const int protection : {PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_EXEC}) {
        require_call(::mprotect(memory.data(), kRoom, PROT_READ | PROT_WRITE) == 0, "mprotect");
        send_all(link.peer, message);
        wait_queued(link.here, message.size());
        receive_all(link.here, memory.data(), message.size());
        require_call(::mprotect(memory.data(), kRoom, protection) == 0, "PROT_EXEC");
        require_equal(reinterpret_cast<int (*)()>(memory.at(3 * kPage))(), 42, "what it returns");
    }
    require_equal(signal_of([&] {
                      ::mprotect(memory.data(), kRoom, PROT_READ);
                      reinterpret_cast<int (*)()>(memory.at(3 * kPage))();
                  }),
                  SIGSEGV, "code in memory that is not PROT_EXEC");
}

CASE(op_sealed) {
    const Received received;
    const Arena& memory = received.memory;
    if (::syscall(kSysMseal, memory.data(), kRoom, 0) != 0) {
        require(errno == ENOSYS, "mseal");
        skip("no mseal()");
    }
    const auto sealed = [&](long result, const char* what) {
        require_equal(error_name(result), error_name_of(EPERM), what);
    };
    sealed(::munmap(memory.data(), kPage), "munmap");
    sealed(::mprotect(memory.data(), kPage, PROT_READ), "mprotect");
    sealed(::mremap(memory.data(), kRoom, kRoom / 2, 0) == MAP_FAILED ? -1 : 0, "mremap");
    sealed(::mmap(memory.data(), kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                  0) == MAP_FAILED
               ? -1
               : 0,
           "MAP_FIXED");
    received.require_unchanged("mseal");
    if (memory.is_payload()) {
        memory.discard(0, kSize);
        require_bytes(memory.data(), kSize, 0, "sealed, and discarded");
    }
}

CASE(op_no_new_code) {
    const Received received;
    Child child([&] {
        constexpr int kSetMdwe = 65;
        if (::prctl(kSetMdwe, 1, 0, 0, 0) != 0)
            return;
        for (const int protection : {PROT_READ | PROT_EXEC, PROT_WRITE | PROT_EXEC})
            require_equal(error_name(::mprotect(received.memory.data(), kRoom, protection)),
                          error_name_of(EACCES), "mprotect of one with PR_SET_MDWE");
        received.require_unchanged("PR_SET_MDWE");
        const Received later;
        later.require_unchanged("an arena of one with PR_SET_MDWE");
    });
    child.wait("a child with PR_SET_MDWE");
}

CASE(op_named) {
    needs_libra();
    constexpr int kSetVma = 0x53564d41;
    const Received received;
    require(::prctl(kSetVma, 0, received.memory.data(), kRoom, "payload") != 0,
            "PR_SET_VMA_ANON_NAME was taken");
    // EINVAL: this kernel names nothing.
    require(errno == EBADF || errno == EINVAL, "PR_SET_VMA_ANON_NAME: " + error_name(-1));
    received.require_unchanged("PR_SET_VMA_ANON_NAME");
}

CASE(op_remap_file_pages) {
    needs_libra();
    const Received received;
    const Arena& memory = received.memory;
    require_equal(
        error_name(::syscall(SYS_remap_file_pages, memory.at(8 * kPage), 4 * kPage, 0, 2, 0)),
        error_name_of(EBUSY), "remap_file_pages");
    require_equal(signal_of([&] { *static_cast<volatile char*>(memory.at(8 * kPage)) = 1; }),
                  SIGSEGV, "the range");
    require_pattern(memory.data(), 8 * kPage, 1, 0, "before it");
    require_pattern(memory.at(12 * kPage), kSize - 12 * kPage, 1, 12 * kPage, "behind it");
}

CASE(op_sync) {
    const Received received;
    for (const int flags : {MS_ASYNC, MS_SYNC, MS_SYNC | MS_INVALIDATE})
        require_call(::msync(received.memory.data(), kRoom, flags) == 0, "msync");
    received.require_unchanged("msync");
}

// Who follows writes does not see what is received lazily, and sees no wrong byte either.
CASE(op_userfaultfd_async) {
    needs_libra();
    constexpr std::uint64_t kWpAsync = 1 << 15;
    const Received received;
    const Fd fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
    uffdio_api api = {};
    api.api = UFFD_API;
    api.features = kWpAsync;
    if (!fd || ::ioctl(fd.get(), UFFDIO_API, &api) != 0)
        skip("no UFFD_FEATURE_WP_ASYNC");
    uffdio_register range = {};
    range.range.start = reinterpret_cast<std::uint64_t>(received.memory.data());
    range.range.len = kRoom;
    range.mode = UFFDIO_REGISTER_MODE_WP;
    require_call(::ioctl(fd.get(), UFFDIO_REGISTER, &range) == 0, "UFFDIO_REGISTER");
    for (int round = 0; round < 5; ++round) {
        uffdio_writeprotect protect = {};
        protect.range = range.range;
        protect.mode = UFFDIO_WRITEPROTECT_MODE_WP;
        require_call(::ioctl(fd.get(), UFFDIO_WRITEPROTECT, &protect) == 0, "UFFDIO_WRITEPROTECT");
        received.require_unchanged("followed by a userfaultfd");
        *received.memory.at(6 * kPage) ^= 1;
        *received.memory.at(6 * kPage) ^= 1;
        Child child([&] { require_pattern(received.memory.data(), kSize, 1, 0, "the child's"); });
        child.wait("the child");
    }
}

CASE(op_limits) {
    needs_libra();
    const Received received;
    const Fd device(open_device());
    const auto map = [&](std::size_t size, int flags) {
        const Fd fd(new_arena(device.get(), size));
        require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
        void* memory =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd.get(), 0);
        return error_name(memory == MAP_FAILED ? -1 : 0);
    };
    for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
        Child child([&] {
            const rlimit limit = {.rlim_cur = 512 << 20, .rlim_max = 512 << 20};
            require_call(::setrlimit(resource, &limit) == 0, "setrlimit");
            require_equal(map(1 << 30, 0), error_name_of(ENOMEM), "mmap beyond the limit");
            require_equal(map(1 << 20, 0), "0", "mmap within the limit");
            received.require_unchanged("at a limit");
        });
        child.wait("a child with limits");
    }
    Child child([&] {
        const rlimit limit = {.rlim_cur = 8 * kPage, .rlim_max = 8 * kPage};
        require_call(::setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "RLIMIT_MEMLOCK");
        require_call(::setuid(65534) == 0, "setuid");
        require_equal(error_name(::mlock(received.memory.data(), 9 * kPage)), error_name_of(ENOMEM),
                      "mlock beyond the limit");
        require_equal(map(16 * kPage, MAP_LOCKED), error_name_of(EAGAIN), "MAP_LOCKED");
        require_call(::mlock(received.memory.data(), 4 * kPage) == 0, "mlock within the limit");
        received.require_unchanged("locked within the limit");
    });
    child.wait("a child that may lock little");
}

}  // namespace
}  // namespace libra::test
