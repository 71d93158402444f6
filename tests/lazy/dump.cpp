// SPDX-License-Identifier: GPL-2.0-only
// What a core dump has of payload memory.
#include <elf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 24 * kPage;

// What is at this address, by the program headers of a core file.
std::string in_core(const std::string& core, std::uint64_t address, std::size_t size) {
    require(core.size() > sizeof(Elf64_Ehdr), "there is no core file");
    Elf64_Ehdr header;
    std::memcpy(&header, core.data(), sizeof(header));
    std::string found;
    for (std::size_t number = 0; number < header.e_phnum; ++number) {
        Elf64_Phdr part;
        std::memcpy(&part, core.data() + header.e_phoff + number * sizeof(part), sizeof(part));
        while (part.p_type == PT_LOAD && address >= part.p_vaddr &&
               address < part.p_vaddr + part.p_filesz && size > 0) {
            const std::uint64_t skip = address - part.p_vaddr;
            const std::size_t count = std::min<std::size_t>(size, part.p_filesz - skip);
            require(part.p_offset + skip + count <= core.size(), "the core file is cut");
            found.append(core, part.p_offset + skip, count);
            address += count;
            size -= count;
        }
    }
    return found;
}

// The core file of a child that does this first.
template <typename Body>
std::string core_of(Body body) {
    const char* kPattern = "/proc/sys/kernel/core_pattern";
    if (!::getenv("LIBRA_KERNEL"))
        skip("core_pattern is the machine's: only in a virtual machine");
    std::string old;
    std::getline(std::ifstream(kPattern), old);
    std::ofstream(kPattern) << "/tmp/libra-core.%p" << std::flush;
    const AtEnd restore([&] { std::ofstream(kPattern) << old << std::flush; });
    Child child([&] {
        const rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
        require_call(::setrlimit(RLIMIT_CORE, &all) == 0, "RLIMIT_CORE");
        body();
        ::abort();
    });
    const std::string file = "/tmp/libra-core." + std::to_string(child.pid());
    require(WCOREDUMP(child.status()), "no core was dumped");
    std::ifstream in(file, std::ios::binary);
    std::string core((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    ::unlink(file.c_str());
    return core;
}

CASE(dump_core) {
    const LazyProof proof;
    const Arena memory(kRoom);
    const std::string core = core_of([&] {
        const Link link;
        receive_pattern(link, memory.at(10), kSize, 1);
        require_pattern(memory.at(10 + 5 * kPage), 3 * kPage, 1, 5 * kPage, "touched");
    });
    require_same(in_core(core, reinterpret_cast<std::uint64_t>(memory.at(10)), kSize),
                 pattern(kSize, 1), "in the core file");
    proof.require_some();
}

// Of what was left out nothing is in it, whatever is lazy.
CASE(dump_without) {
    const LazyProof proof;
    const Arena memory(kRoom);
    const auto address = reinterpret_cast<std::uint64_t>(memory.data());
    std::string core = core_of([&] {
        const Link link;
        receive_pattern(link, memory.data(), kSize, 1);
        require_call(::madvise(memory.at(4 * kPage), 8 * kPage, MADV_DONTDUMP) == 0,
                     "MADV_DONTDUMP");
        require_call(::madvise(memory.at(10 * kPage), 2 * kPage, MADV_DODUMP) == 0, "MADV_DODUMP");
    });
    require_same(in_core(core, address, 4 * kPage), pattern(4 * kPage, 1), "before it");
    require_equal(in_core(core, address + 4 * kPage, 6 * kPage).size(), 0U, "MADV_DONTDUMP");
    require_same(in_core(core, address + 10 * kPage, kSize - 10 * kPage),
                 pattern(kSize - 10 * kPage, 1, 10 * kPage), "behind it");
    if (!memory.is_payload())
        return;
    // Bit 0 is what counts for private memory, bit 1 for this.
    for (const auto& [filter, size] : {std::pair{1, std::size_t{0}}, {2, kSize}}) {
        core = core_of([&] {
            const Link link;
            receive_pattern(link, memory.data(), kSize, 1);
            std::ofstream("/proc/self/coredump_filter") << filter << std::flush;
        });
        require_equal(in_core(core, address, kSize).size(), size,
                      "with coredump_filter " + std::to_string(filter));
    }
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
