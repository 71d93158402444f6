// SPDX-License-Identifier: GPL-2.0-only
//
// libra_skip_fields() skips what a reading byte by byte skips, in any alignment, and reads
// nothing behind its range.
#include <cstring>
#include <memory>

#include "fuzz.h"
#include "libra_host.h"
#include "shim/kernel.h"

// An input: the sizes of names that are not skipped, how many lines at most, one byte for
// the alignment, and the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::uint64_t sizes = 0;
    if (size < sizeof(sizes) + 2)
        return 0;
    std::memcpy(&sizes, data, sizeof(sizes));
    const std::uint32_t most = data[sizeof(sizes)] % 16;
    const std::size_t skip = data[sizeof(sizes) + 1] % 8;
    data += sizeof(sizes) + 2;
    size -= sizeof(sizes) + 2;

    // Ends where the allocation does, for the address sanitizer.
    const auto memory = std::make_unique<std::uint8_t[]>(skip + size);
    std::memcpy(memory.get() + skip, data, size);

    HostCtx ctx{};
    ctx.bytes = {reinterpret_cast<const char*>(data), size};
    const std::uint64_t plain =
        libra_skip_fields(&ctx, 0, static_cast<std::uint32_t>(size), sizes, most);
    std::uint32_t lines = most;
    const std::uint32_t at =
        libra_skip_fields(memory.get() + skip, static_cast<std::uint32_t>(size), sizes, &lines);
    require((std::uint64_t{lines} << 32 | at) == plain,
            "libra_skip_fields() skipped something else");
    return 0;
}
