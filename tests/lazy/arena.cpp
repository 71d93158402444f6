// SPDX-License-Identifier: GPL-2.0-only
#include "arena.h"

#include <fcntl.h>
#include <linux/libra_memory.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/fd.h"
#include "frame.h"

namespace libra::test {
namespace {

// Kept open: discard() needs it as often as it likes.
int device() {
    static const int fd = open_device();
    require_call(fd >= 0, LIBRA_DEVICE);
    return fd;
}

std::uint64_t lazy_bytes() {
    return setting().plain ? 0 : read_counters()["lazy_rx_bytes"];
}

}  // namespace

int open_device() {
    return ::open(LIBRA_DEVICE, O_RDWR | O_CLOEXEC);
}

int new_arena(int device, std::uint64_t size, std::uint32_t flags, std::uint32_t reserved) {
    libra_arena arena = {.size = size, .flags = flags, .reserved = reserved};
    return ::ioctl(device, LIBRA_IOC_ARENA, &arena);
}

int discard_range(int device, std::uint64_t address, std::uint64_t size) {
    libra_range range = {.addr = address, .len = size};
    return ::ioctl(device, LIBRA_IOC_DISCARD, &range);
}

Arena::Arena(std::size_t size, Kind kind, std::uint32_t flags)
    : size_(size), payload_(kind == Kind::kPayload && !setting().plain) {
    void* memory = MAP_FAILED;
    if (payload_) {
        const Fd fd(new_arena(device(), size, flags));
        require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
        memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    } else {
        memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    require_call(memory != MAP_FAILED, "mmap of an arena");
    data_ = static_cast<char*>(memory);
}

Arena::~Arena() {
    if (data_)
        ::munmap(data_, size_);
}

void Arena::discard(std::size_t offset, std::size_t size) const {
    if (payload_)
        require_call(
            discard_range(device(), reinterpret_cast<std::uint64_t>(at(offset)), size) == 0,
            "LIBRA_IOC_DISCARD");
    else
        require_call(::madvise(at(offset), size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
}

LazyProof::LazyProof() : before_(lazy_bytes()) {}

void LazyProof::require_some(std::uint64_t at_least) const {
    if (setting().plain)
        return;
    const std::uint64_t moved = lazy_bytes() - before_;
    require(moved >= at_least,
            "only " + std::to_string(moved) + " bytes were lazy: it proves nothing");
}

}  // namespace libra::test
