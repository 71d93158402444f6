// SPDX-License-Identifier: GPL-2.0-only
// /dev/libra: what is refused, and with which errno.
#include <fcntl.h>
#include <linux/libra_memory.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kSize = 64 * kPage;

Fd device() {
    if (setting().plain)
        skip("there is no device in ordinary memory");
    Fd fd(open_device());
    require_call(static_cast<bool>(fd), LIBRA_DEVICE);
    return fd;
}

void require_errno(long result, int expected, const std::string& what) {
    const int error = errno;
    require_equal(result, -1L, what);
    require_equal(std::string(std::strerror(error)), std::strerror(expected), what);
}

void* map(int fd, std::size_t size, int protection = PROT_READ | PROT_WRITE, int flags = MAP_SHARED,
          off_t offset = 0) {
    return ::mmap(nullptr, size, protection, flags, fd, offset);
}

CASE(device_bad_arenas) {
    const Fd dev = device();
    require_errno(new_arena(dev.get(), 0), EINVAL, "no bytes");
    require_errno(new_arena(dev.get(), 1), EINVAL, "one byte");
    require_errno(new_arena(dev.get(), kPage + 1), EINVAL, "a page and a byte");
    require_errno(new_arena(dev.get(), LIBRA_ARENA_MAX + kPage), EINVAL, "more than the limit");
    require_errno(new_arena(dev.get(), ~std::uint64_t{0} - kPage + 1), EINVAL, "nearly 2^64");
    require_errno(new_arena(dev.get(), kPage, 2), EINVAL, "an unknown flag");
    require_errno(new_arena(dev.get(), LIBRA_ARENA_TABLE_MAX + kPage, LIBRA_ARENA_TABLE), EINVAL,
                  "a table of too much");
    require_errno(new_arena(dev.get(), kPage, 0x80000000), EINVAL, "another unknown flag");
    require_errno(new_arena(dev.get(), kPage, 0, 1), EINVAL, "what is reserved");
    require_errno(::ioctl(dev.get(), LIBRA_IOC_ARENA, nullptr), EFAULT, "no argument");
    require_errno(::ioctl(dev.get(), LIBRA_IOC_DISCARD, nullptr), EFAULT, "no range");
    require_errno(::ioctl(dev.get(), _IOW(0xBA, 99, int), 0), ENOTTY, "an unknown ioctl");
    const Fd good(new_arena(dev.get(), kPage));
    require_call(static_cast<bool>(good), "one page");
    require_equal(::fcntl(good.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "close-on-exec");
}

CASE(device_bad_ranges) {
    const Fd dev = device();
    const Arena memory(kSize);
    const auto at = reinterpret_cast<std::uint64_t>(memory.data());
    require_errno(discard_range(dev.get(), at + 1, kPage), EINVAL, "an odd address");
    require_errno(discard_range(dev.get(), at, kPage - 1), EINVAL, "an odd length");
    require_errno(discard_range(dev.get(), at, 0 - at + kPage), EINVAL, "a range that wraps");
    std::memset(memory.data(), 'x', kSize);
    const Arena ordinary(kSize, Kind::kOrdinary);
    std::memset(ordinary.data(), 'x', kSize);
    require_call(
        discard_range(dev.get(), reinterpret_cast<std::uint64_t>(ordinary.data()), kSize) == 0,
        "ordinary memory");
    require_bytes(ordinary.data(), kSize, 'x', "ordinary memory");
    require_call(discard_range(dev.get(), kPage, kPage) == 0, "nothing");
    require_call(discard_range(dev.get(), at, 0) == 0 || errno == EINVAL, "no bytes");
    require_bytes(memory.data(), kSize, 'x', "memory beside all that");
}

CASE(device_bad_mappings) {
    const Fd dev = device();
    require(map(dev.get(), kPage) == MAP_FAILED, "the device itself was mapped");
    const Fd fd(new_arena(dev.get(), kSize));
    require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
    require(map(fd.get(), kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE) == MAP_FAILED,
            "MAP_PRIVATE was taken");
    require_equal(std::string(std::strerror(errno)), std::strerror(EINVAL), "MAP_PRIVATE");
    void* memory = map(fd.get(), kSize);
    require_call(memory != MAP_FAILED, "mmap after what was refused");
    require(map(fd.get(), kSize) == MAP_FAILED, "a second mapping was taken");
    require_equal(std::string(std::strerror(errno)), std::strerror(EBUSY), "a second mapping");
    require_call(::munmap(memory, kSize) == 0, "munmap");
}

// More than the arena has, or from its middle: refused, or what is there is right.
CASE(device_other_sizes) {
    const Fd dev = device();
    for (const auto& [size, offset] : {std::pair<std::size_t, off_t>{kSize + kPage, 0},
                                       {kSize, kPage},
                                       {kSize / 2, 0},
                                       {kSize / 2, kSize / 2}}) {
        const Fd fd(new_arena(dev.get(), kSize));
        require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
        void* memory = map(fd.get(), size, PROT_READ | PROT_WRITE, MAP_SHARED, offset);
        if (memory == MAP_FAILED) {
            require_equal(std::string(std::strerror(errno)), std::strerror(EINVAL), "mmap");
            continue;
        }
        require(size + static_cast<std::size_t>(offset) <= kSize, "more than the arena was mapped");
        const Link link;
        receive_pattern(link, static_cast<char*>(memory), size, 1);
        require_pattern(static_cast<char*>(memory), size, 1, 0, "part of an arena");
        require_call(::munmap(memory, size) == 0, "munmap");
    }
}

// An arena is mapped by the process that asked for it.
CASE(device_not_by_others) {
    const Fd dev = device();
    const Fd fd(new_arena(dev.get(), kSize));
    Child child([&] { require(map(fd.get(), kSize) == MAP_FAILED, "a child could map it"); });
    child.wait("the child");
    void* memory = map(fd.get(), kSize);
    require_call(memory != MAP_FAILED, "mmap");
    Child other(
        [&] { require(map(fd.get(), kSize) == MAP_FAILED, "a child could map it as well"); });
    other.wait("the other child");
}

CASE(device_file_operations) {
    const Fd dev = device();
    const Fd fd(new_arena(dev.get(), kSize));
    require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
    char byte = 0;
    require(::read(fd.get(), &byte, 1) < 0, "read");
    require(::write(fd.get(), &byte, 1) < 0, "write");
    char* memory = static_cast<char*>(map(fd.get(), kSize));
    require_call(memory != MAP_FAILED, "mmap");
    const Link link;
    receive_pattern(link, memory, kSize, 1);
    require_pattern(memory + 5 * kPage, 5 * kPage, 1, 5 * kPage, "touched");
    // Whether they succeed or not, the memory is no file's.
    for (const off_t size : {static_cast<off_t>(0), static_cast<off_t>(2 * kSize)}) {
        if (::ftruncate(fd.get(), size) != 0)
            require_call(errno == EINVAL || errno == EPERM || errno == EOPNOTSUPP, "ftruncate");
        require_pattern(memory, kSize, 1, 0, "after ftruncate");
        receive_pattern(link, memory, kSize, 1);
    }
    require(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage) < 0,
            "fallocate");
    require(::read(dev.get(), &byte, 1) < 0, "read of the device");
    require_pattern(memory, kSize, 1, 0, "afterwards");
}

// The descriptors may go first.
CASE(device_closed_early) {
    const LazyProof proof;
    Fd dev = device();
    Fd fd(new_arena(dev.get(), kSize));
    char* memory = static_cast<char*>(map(fd.get(), kSize));
    require_call(memory != MAP_FAILED, "mmap");
    fd.reset();
    dev.reset();
    const Link link;
    receive_pattern(link, memory, kSize, 1);
    require_pattern(memory, kSize, 1, 0, "after the descriptors are gone");
    require_call(::munmap(memory, kSize) == 0, "munmap");
    proof.require_some();
}

CASE(device_many_arenas) {
    const Fd dev = device();
    const Link link;
    std::vector<char*> all;
    for (int number = 0; number < 100; ++number) {
        const Fd fd(new_arena(dev.get(), 1 << 20));
        require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
        all.push_back(static_cast<char*>(map(fd.get(), 1 << 20)));
        require_call(all.back() != MAP_FAILED, "mmap");
    }
    for (std::size_t number = 0; number < all.size(); ++number)
        receive_pattern(link, all[number] + number * 100, 3 * kPage, number + 1);
    for (std::size_t number = 0; number < all.size(); number += 3)
        require_call(::munmap(all[number], 1 << 20) == 0, "munmap");
    for (std::size_t number = 0; number < all.size(); ++number)
        if (number % 3 != 0)
            require_pattern(all[number] + number * 100, 3 * kPage, number + 1, 0,
                            "arena " + std::to_string(number));
}

// Address space is not memory.
CASE(device_large_arena) {
    const Fd dev = device();
    const std::uint64_t size = std::uint64_t{16} << 30;
    const Fd fd(new_arena(dev.get(), size));
    require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA of 16 GB");
    char* memory = static_cast<char*>(map(fd.get(), size));
    require_call(memory != MAP_FAILED, "mmap");
    const Link link;
    std::uint64_t stream = 0;
    for (std::uint64_t at = 0; at + 20 * kPage < size; at += size / 7)
        receive_pattern(link, memory + at / kPage * kPage, 10 * kPage, ++stream);
    receive_pattern(link, memory + size - 10 * kPage, 10 * kPage, 99);
    stream = 0;
    for (std::uint64_t at = 0; at + 20 * kPage < size; at += size / 7)
        require_pattern(memory + at / kPage * kPage, 10 * kPage, ++stream, 0, "far apart");
    require_pattern(memory + size - 10 * kPage, 10 * kPage, 99, 0, "the end");
}

// An open device without memory changes nothing for a process.
CASE(device_without_memory) {
    const Fd dev = device();
    const Fd fd(new_arena(dev.get(), kSize));
    const Link link;
    std::string ordinary(kSize, '\0');
    receive_pattern(link, ordinary.data(), kSize, 1);
    require_pattern(ordinary.data(), kSize, 1, 0, "ordinary memory");
}

}  // namespace
}  // namespace libra::test
