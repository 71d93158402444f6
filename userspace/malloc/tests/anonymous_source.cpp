// SPDX-License-Identifier: GPL-2.0-only
// In the place of device.cpp: private memory, with the device's rules. A discard is
// a system call, past the madvise() of the library.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "map_arena.h"
#include "process.h"

namespace libra::memory {

constinit const PayloadSource process_source = {
    .reserve =
        [](std::size_t size) {
            return map_arena(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
        },
    .discard =
        [](void* address, std::size_t size) {
            return syscall(SYS_madvise, address, size, MADV_DONTNEED) == 0;
        },
    .release = [](void* address, std::size_t size) { munmap(address, size); },
};

libra_malloc_device process_source_state(int* error) {
    *error = 0;
    return LIBRA_MALLOC_OPEN;
}

void process_source_verbose(std::size_t) {}

}  // namespace libra::memory
