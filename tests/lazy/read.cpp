// SPDX-License-Identifier: GPL-2.0-only
// Received into payload memory, looked at by the processor.
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kSizes[] = {1,     4095,  4096,  4097,  8191,  8192,   8193,
                                  12288, 20000, 65535, 65536, 65537, 150'000};
constexpr std::size_t kOffsets[] = {0, 1, 16, 256, 4080, 4095};
constexpr std::size_t kRoom = 256 << 10;
constexpr char kUntouched = 0x5a;

std::string named(std::size_t size, std::size_t offset) {
    return std::to_string(size) + " bytes at offset " + std::to_string(offset);
}

// Nothing but [from, from + size) may have changed.
void require_surroundings(const Arena& arena, std::size_t from, std::size_t size, char value,
                          const std::string& what) {
    const std::size_t begin = from < kPage ? 0 : from - kPage;
    const std::size_t end = std::min(arena.size(), from + size + 2 * kPage);
    require_bytes(arena.at(begin), from - begin, value, what + ", before it");
    require_bytes(arena.at(from + size), end - from - size, value, what + ", behind it");
}

CASE_OF_BOTH_FAMILIES(read_into_empty_memory) {
    const LazyProof proof;
    const Link link(family);
    const Arena arena(kRoom);
    std::uint64_t stream = 0;
    for (const std::size_t size : kSizes)
        for (const std::size_t offset : kOffsets) {
            receive_pattern(link, arena.at(kPage + offset), size, ++stream);
            require_pattern(arena.at(kPage + offset), size, stream, 0, named(size, offset));
            require_surroundings(arena, kPage + offset, size, 0, named(size, offset));
            arena.discard();
        }
    proof.require_some();
}

CASE_OF_BOTH_FAMILIES(read_into_touched_memory) {
    const LazyProof proof;
    const Link link(family);
    const Arena arena(kRoom);
    std::uint64_t stream = 0;
    for (const std::size_t size : kSizes)
        for (const std::size_t offset : kOffsets) {
            std::memset(arena.data(), kUntouched, size + 5 * kPage);
            receive_pattern(link, arena.at(kPage + offset), size, ++stream);
            require_pattern(arena.at(kPage + offset), size, stream, 0, named(size, offset));
            require_surroundings(arena, kPage + offset, size, kUntouched, named(size, offset));
        }
    proof.require_some();
}

// The pages of one message, in an order that is not theirs.
CASE(read_backwards) {
    const LazyProof proof;
    const Link link;
    const Arena arena(kRoom);
    for (std::uint64_t stream = 1; stream <= 5; ++stream) {
        receive_pattern(link, arena.at(100), 20 * kPage, stream);
        for (std::size_t page = 20; page-- > 0;)
            require_pattern(arena.at(100 + page * kPage), kPage, stream, page * kPage,
                            "page " + std::to_string(page));
    }
    proof.require_some();
}

CASE(read_one_byte_of_each_page) {
    const LazyProof proof;
    const Link link;
    const Arena arena(kRoom);
    receive_pattern(link, arena.data(), 32 * kPage, 1);
    for (std::size_t page = 0; page < 32; ++page) {
        const std::size_t at = page * kPage + (page * 131) % kPage;
        require_equal(+*arena.at(at), +pattern_byte(1, at), "byte " + std::to_string(at));
    }
    require_pattern(arena.data(), 32 * kPage, 1, 0, "all of it afterwards");
    proof.require_some();
}

// As a proxy reads: each time behind what is there already.
CASE_OF_BOTH_FAMILIES(read_in_pieces) {
    constexpr std::size_t kTotal = 150'000;
    const LazyProof proof;
    const Arena arena(kRoom);
    std::uint64_t stream = 0;
    for (const std::size_t piece : {1000, 4096, 4097, 5000, 8192, 12'000, 16'384, 65'537}) {
        const Link link(family);
        feed(link, kTotal, ++stream);
        for (std::size_t done = 0; done < kTotal;) {
            const ssize_t count =
                ::recv(link.here.get(), arena.at(33 + done), std::min(piece, kTotal - done), 0);
            require_call(count > 0, "recv");
            done += static_cast<std::size_t>(count);
        }
        require_pattern(arena.at(33), kTotal, stream, 0, "pieces of " + std::to_string(piece));
    }
    proof.require_some();
}

// Segments of every size, so that a page is of several.
CASE_OF_BOTH_FAMILIES(read_small_segments) {
    const LazyProof proof;
    const Link link(family);
    const Arena arena(kRoom);
    std::uint64_t stream = 0;
    for (const std::size_t segment : {97, 536, 1448, 4096, 5000}) {
        ++stream;
        std::size_t total = 0;
        for (; total < 60'000; total += segment)
            send_all(link.peer, pattern(segment, stream, total));
        wait_queued(link.here, total);
        receive_all(link.here, arena.data(), total);
        require_pattern(arena.data(), total, stream, 0, "segments of " + std::to_string(segment));
    }
}

CASE(read_after_second_message) {
    const LazyProof proof;
    const Link link;
    const Arena arena(kRoom);
    // Over all of the first, or from its middle, or a part of it: the later bytes hold.
    for (const auto& [from, size] : {std::pair<std::size_t, std::size_t>{0, 40'000},
                                     {5000, 40'000},
                                     {4096, 8192},
                                     {6000, 100},
                                     {39'000, 5000}}) {
        std::memset(arena.data(), kUntouched, 60'000);
        receive_pattern(link, arena.data(), 40'000, 1);
        receive_pattern(link, arena.at(from), size, 2);
        require_pattern(arena.data(), from, 1, 0, "before the second message");
        require_pattern(arena.at(from), size, 2, 0, named(size, from));
        if (from + size < 40'000)
            require_pattern(arena.at(from + size), 40'000 - from - size, 1, from + size,
                            "behind the second message");
    }
    proof.require_some();
}

CASE(read_after_own_writes) {
    const LazyProof proof;
    const Link link;
    const Arena arena(kRoom);
    receive_pattern(link, arena.data(), 16 * kPage, 1);
    for (std::size_t page = 0; page < 16; page += 2)
        *arena.at(page * kPage + 77) ^= 0x11;
    for (std::size_t page = 0; page < 16; ++page) {
        if (page % 2 == 0)
            *arena.at(page * kPage + 77) ^= 0x11;
        require_pattern(arena.at(page * kPage), kPage, 1, page * kPage,
                        "page " + std::to_string(page));
    }
    receive_pattern(link, arena.data(), 16 * kPage, 2);
    std::memset(arena.at(3 * kPage), kUntouched, kPage);
    std::memcpy(arena.at(20 * kPage + 5), arena.at(5), 10 * kPage);
    require_pattern(arena.at(20 * kPage + 5), 3 * kPage - 5, 2, 5, "a copy");
    require_bytes(arena.at(23 * kPage), kPage, kUntouched, "a copy of what was written");
    proof.require_some();
}

// [from, to) pairs of a stream over payload memory and ordinary memory in turn.
void scatter(const std::vector<std::size_t>& sizes, std::size_t skew, std::uint64_t stream) {
    const Link link;
    const Arena payload(kRoom);
    const Arena ordinary(kRoom, Kind::kOrdinary);
    std::vector<iovec> pieces;
    std::size_t at[2] = {skew, skew};
    std::size_t total = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const Arena& memory = i % 2 == 0 ? payload : ordinary;
        pieces.push_back({memory.at(at[i % 2]), sizes[i]});
        at[i % 2] += sizes[i] + 1;
        total += sizes[i];
    }
    feed(link, total, stream);
    std::size_t got = 0;
    std::vector<iovec> left = pieces;
    while (got < total) {
        const ssize_t count = ::readv(link.here.get(), left.data(), static_cast<int>(left.size()));
        require_call(count > 0, "readv");
        got += static_cast<std::size_t>(count);
        std::size_t used = static_cast<std::size_t>(count);
        while (!left.empty() && used >= left.front().iov_len) {
            used -= left.front().iov_len;
            left.erase(left.begin());
        }
        if (!left.empty()) {
            left.front().iov_base = static_cast<char*>(left.front().iov_base) + used;
            left.front().iov_len -= used;
        }
    }
    std::size_t position = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto* memory = static_cast<const char*>(pieces[i].iov_base);
        require_pattern(memory, pieces[i].iov_len, stream, position,
                        "iovec " + std::to_string(i) + " of " + std::to_string(pieces.size()));
        require_equal(+memory[pieces[i].iov_len], 0, "the byte behind it");
        position += pieces[i].iov_len;
    }
}

CASE(read_scattered) {
    const LazyProof proof;
    std::uint64_t stream = 0;
    for (const std::size_t skew : {std::size_t{0}, std::size_t{1}, kPage - 1}) {
        scatter({100'000, 5000, 30'000}, skew, ++stream);
        scatter({4096, 4096, 4096, 4096, 4096}, skew, ++stream);
        scatter({4095, 1, 4097, 8192, 12'289, 3}, skew, ++stream);
        scatter({1, 60'000, 1, 60'000}, skew, ++stream);
        scatter({60'000}, skew, ++stream);
        scatter({0, 9000, 20'000, 0, 8192}, skew, ++stream);
    }
    proof.require_some();
}

// nginx's: many buffers of one size, next to each other and not.
CASE(read_into_64_buffers) {
    const LazyProof proof;
    const Arena arena(64 * 4 * kPage);
    for (const std::size_t stride : {kPage, 2 * kPage, kPage + 16, 4 * kPage}) {
        const Link link;
        std::vector<iovec> pieces;
        for (std::size_t i = 0; i < 64; ++i)
            pieces.push_back({arena.at(i * stride), std::min(stride, 2 * kPage)});
        const std::size_t size = pieces[0].iov_len;
        feed(link, 64 * size, stride);
        const ssize_t count = ::readv(link.here.get(), pieces.data(), 64);
        require_equal(count, static_cast<ssize_t>(64 * size), "readv");
        for (std::size_t i = 0; i < 64; ++i)
            require_pattern(arena.at(i * stride), size, stride, i * size,
                            "buffer " + std::to_string(i));
    }
    proof.require_some();
}

// The later iovec wins where two name the same memory.
CASE(read_into_overlapping_iovecs) {
    const Link link;
    const Arena arena(kRoom);
    iovec pieces[] = {
        {arena.data(), 5 * kPage}, {arena.at(2 * kPage), 5 * kPage}, {arena.at(100), kPage}};
    feed(link, 11 * kPage, 1);
    require_equal(::readv(link.here.get(), pieces, 3), static_cast<ssize_t>(11 * kPage), "readv");
    require_pattern(arena.data(), 100, 1, 0, "the first");
    require_pattern(arena.at(100), kPage, 1, 10 * kPage, "the last");
    require_pattern(arena.at(100 + kPage), kPage - 100, 1, 100 + kPage, "the first again");
    require_pattern(arena.at(2 * kPage), 5 * kPage, 1, 5 * kPage, "the second");
}

// What was received belongs to the memory, not to the socket.
CASE_OF_BOTH_FAMILIES(read_after_the_socket_is_gone) {
    const LazyProof proof;
    const Arena arena(kRoom);
    {
        const Link link(family);
        receive_pattern(link, arena.at(7), 100'000, 1);
    }
    require_pattern(arena.at(7), 100'000, 1, 0, "afterwards");
    proof.require_some();
}

CASE(read_from_two_arenas) {
    const LazyProof proof;
    const Link first;
    const Link second;
    const Arena one(kRoom);
    const Arena other(kRoom);
    for (std::uint64_t round = 0; round < 20; ++round) {
        receive_pattern(first, one.data(), 10 * kPage, 2 * round);
        receive_pattern(second, other.data(), 10 * kPage, 2 * round + 1);
        require_pattern(one.data(), 10 * kPage, 2 * round, 0, "one");
        require_pattern(other.data(), 10 * kPage, 2 * round + 1, 0, "the other");
    }
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
