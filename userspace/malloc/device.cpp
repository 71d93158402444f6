// SPDX-License-Identifier: GPL-2.0-only
// Payload memory from /dev/libra, or private memory in its place.
#include <fcntl.h>
#include <linux/libra_memory.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "complain.h"
#include "map_arena.h"
#include "process.h"

namespace libra::memory {
namespace {

// Programs count on the lowest numbers: close(0); open(...) is to give 0, whatever
// malloc() does in between.
constexpr int kLowestNumber = 100;

constinit std::atomic<libra_malloc_device> state{LIBRA_MALLOC_UNUSED};
constinit std::atomic<int> state_errno{0};
constinit std::atomic<std::size_t> verbose{0};  // the smallest block, once it is to be told

// All below is used by one caller at a time.
constinit int device = -1;
constinit struct stat identity {};

const char* mend(int error) {
    switch (error) {
        case ENOENT:
        case ENXIO:
        case ENODEV:
            return "load the module libra, or PrivateDevices=no in its unit";
        case EACCES:
            return "let this user read and write it, or start as root";
        case EPERM:
            return "DeviceAllow=/dev/libra rw in its unit";
        case EMFILE:
        case ENFILE:
            return "allow more open files";
        default:
            return "see libra-malloc(7)";
    }
}

const char* mend_arena(int error) {
    switch (error) {
        case EPERM:
            return "sysctl net.libra.lazy=1";
        case EBUSY:
            return "sysctl kernel.ftrace_enabled=1; or something else, such as a live patch, has "
                   "the kernel's functions";
        case ENOMEM:
            return "see RLIMIT_AS, RLIMIT_DATA and the memory cgroup";
        default:
            return "see libra-malloc(7)";
    }
}

bool is_ordinary() {
    return state.load(std::memory_order_relaxed) == LIBRA_MALLOC_ORDINARY;
}

void tell(int error, const char* remedy = "") {
    const std::size_t min_block = verbose.exchange(0, std::memory_order_relaxed);
    if (min_block == 0)
        return;
    if (is_ordinary())
        complain("blocks of %zu bytes and more come from private memory", min_block);
    else if (error)
        complain("%s: %s: all blocks come from the C library; %s", LIBRA_DEVICE,
                 strerrordesc_np(error), remedy);
    else
        complain("blocks of %zu bytes and more come from payload memory (%s)", min_block,
                 LIBRA_DEVICE);
}

bool is_missing(int error) {
    return error == ENOENT || error == ENXIO || error == ENODEV;
}

bool open_device() {
    int error = 0;
    const int fd = open(LIBRA_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        error = errno;
    } else if (fstat(fd, &identity) != 0 || !S_ISCHR(identity.st_mode)) {
        error = ENODEV;
        close(fd);
    } else {
        device = fcntl(fd, F_DUPFD_CLOEXEC, kLowestNumber);
        if (device < 0)
            device = fd;
        else
            close(fd);
    }
    state_errno.store(error, std::memory_order_relaxed);
    state.store(error == 0          ? LIBRA_MALLOC_OPEN
                : is_missing(error) ? LIBRA_MALLOC_MISSING
                                    : LIBRA_MALLOC_REFUSED,
                std::memory_order_relaxed);
    if (error)
        tell(error, mend(error));
    errno = error;
    return error == 0;
}

// Programs close what they do not know, and the number is somebody else's then.
bool still_ours() {
    struct stat now {};
    return fstat(device, &now) == 0 && S_ISCHR(now.st_mode) && now.st_dev == identity.st_dev &&
           now.st_ino == identity.st_ino && now.st_rdev == identity.st_rdev;
}

// One failure to open it is final: a process that gave up its rights does not get
// them back, and some are killed for trying.
bool have_device() {
    const libra_malloc_device now = state.load(std::memory_order_relaxed);
    if (now == LIBRA_MALLOC_OPEN && still_ours())
        return true;
    if (now == LIBRA_MALLOC_MISSING || now == LIBRA_MALLOC_REFUSED) {
        errno = state_errno.load(std::memory_order_relaxed);
        return false;
    }
    return open_device();
}

void* ordinary_reserve(std::size_t size) {
    tell(0);
    return map_arena(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

void* device_reserve(std::size_t size) {
    if (is_ordinary())
        return ordinary_reserve(size);
    if (!have_device())
        return nullptr;
    libra_arena arena = {.size = size, .flags = LIBRA_ARENA_TABLE, .reserved = 0};
    const int fd = ioctl(device, LIBRA_IOC_ARENA, &arena);
    void* address = fd < 0 ? nullptr : map_arena(size, MAP_SHARED, fd);
    const int error = address ? 0 : errno;
    if (fd >= 0)
        close(fd);
    tell(error, mend_arena(error));
    errno = error;
    return address;
}

bool device_discard(void* address, std::size_t size) {
    if (is_ordinary())  // the system call: madvise() would be our own
        return syscall(SYS_madvise, address, size, MADV_DONTNEED) == 0;
    if (!have_device())
        return false;
    libra_range range = {.addr = reinterpret_cast<std::uintptr_t>(address), .len = size};
    return ioctl(device, LIBRA_IOC_DISCARD, &range) == 0;
}

void device_release(void* address, std::size_t size) {
    munmap(address, size);
}

}  // namespace

constinit const PayloadSource process_source = {
    .reserve = device_reserve,
    .discard = device_discard,
    .release = device_release,
};

libra_malloc_device process_source_state(int* error) {
    *error = state_errno.load(std::memory_order_relaxed);
    return state.load(std::memory_order_relaxed);
}

void process_source_ordinary() {
    state.store(LIBRA_MALLOC_ORDINARY, std::memory_order_relaxed);
}

void process_source_verbose(std::size_t min_block) {
    verbose.store(min_block, std::memory_order_relaxed);
}

}  // namespace libra::memory
