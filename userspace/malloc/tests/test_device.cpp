// SPDX-License-Identifier: GPL-2.0-only
// device.cpp over a device that is /dev/zero: open and ioctl are wrapped by the
// linker, in the test program only.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/libra_memory.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>

#include "process.h"

namespace {

int open_errno = 0;
int arena_errno = 0;
int opened = 0;
int asked_fd = -1;  // by the last ioctl

}  // namespace

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
int __real_open(const char* path, int flags, ...);

int __wrap_open(const char* path, int flags, ...) {
    if (strcmp(path, LIBRA_DEVICE) != 0)
        return __real_open(path, flags, 0);
    if (open_errno) {
        errno = open_errno;
        return -1;
    }
    EXPECT_EQ(flags, O_RDWR | O_CLOEXEC);
    opened++;
    return __real_open("/dev/zero", flags);
}

int __wrap_ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    asked_fd = fd;
    if (request == LIBRA_IOC_DISCARD) {
        const auto* range = static_cast<libra_range*>(argument);
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        return madvise(reinterpret_cast<void*>(range->addr), range->len, MADV_REMOVE);
    }
    EXPECT_EQ(request, LIBRA_IOC_ARENA);
    const auto* arena = static_cast<libra_arena*>(argument);
    EXPECT_EQ(arena->flags, static_cast<unsigned>(LIBRA_ARENA_TABLE));
    if (arena_errno) {
        errno = arena_errno;
        return -1;
    }
    const int memory = memfd_create("arena", MFD_CLOEXEC);
    EXPECT_EQ(ftruncate(memory, static_cast<off_t>(arena->size)), 0);
    return memory;
}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"

namespace libra::memory {
namespace {

int lowest_free() {
    const int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

libra_malloc_device state() {
    int error = 0;
    const libra_malloc_device now = process_source_state(&error);
    EXPECT_EQ(error, open_errno);
    return now;
}

// In one test: there is one device in a process, and its story is one of states.
TEST(Device, FromTheFirstArenaToTheLoss) {
    EXPECT_EQ(state(), LIBRA_MALLOC_UNUSED);
    process_source_verbose(16384);
    testing::internal::CaptureStderr();
    const int lowest = lowest_free();

    // That it can be opened is not all.
    arena_errno = EPERM;
    EXPECT_EQ(process_source.reserve(kArenaSize), nullptr);
    EXPECT_EQ(errno, EPERM);
    arena_errno = 0;
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "libra-malloc: /dev/libra: Operation not permitted: all blocks come from the C "
              "library; sysctl net.libra.lazy=1\n");
    process_source_verbose(16384);
    testing::internal::CaptureStderr();

    char* first = static_cast<char*>(process_source.reserve(kArenaSize));
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % kArenaSize, 0u);
    EXPECT_EQ(state(), LIBRA_MALLOC_OPEN);
    EXPECT_GE(asked_fd, 100);
    EXPECT_EQ(lowest_free(), lowest) << "low numbers are the program's";
    EXPECT_EQ(fcntl(asked_fd, F_GETFD), FD_CLOEXEC);

    memset(first, 1, 3 * kPageSize);
    EXPECT_TRUE(process_source.discard(first + kPageSize, kPageSize));
    EXPECT_EQ(first[0], 1);
    EXPECT_EQ(first[kPageSize], 0);
    EXPECT_EQ(first[2 * kPageSize], 1);
    EXPECT_EQ(opened, 1);

    arena_errno = EPERM;
    EXPECT_EQ(process_source.reserve(kArenaSize), nullptr);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(state(), LIBRA_MALLOC_OPEN);
    arena_errno = 0;
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "libra-malloc: blocks of 16384 bytes and more come from payload memory "
              "(/dev/libra)\n");

    // The program closes it, and the number is another character device's.
    const int number = asked_fd;
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ASSERT_EQ(dup2(null, number), number);
    void* second = process_source.reserve(kArenaSize);
    EXPECT_NE(second, nullptr);
    EXPECT_EQ(opened, 2);
    EXPECT_NE(asked_fd, number);
    struct stat theirs {};
    struct stat before {};
    ASSERT_EQ(fstat(number, &theirs), 0) << "what is not ours is not closed";
    ASSERT_EQ(fstat(null, &before), 0);
    EXPECT_EQ(theirs.st_rdev, before.st_rdev);

    // Closed once more, by a program that gave its rights up.
    close(asked_fd);
    open_errno = EACCES;
    EXPECT_FALSE(process_source.discard(first, kPageSize));
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(first[0], 1);
    EXPECT_EQ(state(), LIBRA_MALLOC_REFUSED);
    EXPECT_EQ(process_source.reserve(kArenaSize), nullptr);
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(opened, 2);

    for (void* arena : {static_cast<void*>(first), second})
        process_source.release(arena, kArenaSize);
    EXPECT_EQ(mincore(first, kPageSize, reinterpret_cast<unsigned char*>(&before)), -1);
    close(null);
    close(number);
}

}  // namespace
}  // namespace libra::memory
