// SPDX-License-Identifier: GPL-2.0-only
// Reads that begin and end inside of pages, on memory of which nobody has looked at
// anything: a page then is of several streams, and still nobody has seen it.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "rounds.h"
#include "twin.h"
#include "workers.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 128 << 10;
constexpr std::size_t kAgain = 1 << 20;
// Each read takes what there is; they add up to less than kRoom.
constexpr std::size_t kPieces[] = {10'000, 5000, 4096, 8192, 4097, 20'000, 12'345, 6144, 30'001};

std::size_t whole() {
    std::size_t sum = 0;
    for (const std::size_t piece : kPieces)
        sum += piece;
    return sum;
}

// All of a stream, in pieces of which each is in the queue before it is read.
void receive_in_pieces(const Link& link, char* to, std::uint64_t stream) {
    std::size_t at = 0;
    for (const std::size_t piece : kPieces) {
        feed(link, piece, stream, at);
        require_equal(::recv(link.here.get(), to + at, kRoom, 0), static_cast<ssize_t>(piece),
                      "recv");
        at += piece;
    }
}

CASE_OF_BOTH_FAMILIES(pieces_read) {
    const LazyProof proof;
    const Link link(family);
    const Arena memory(2 * kRoom);
    for (const std::size_t offset : {0, 4095, 77}) {
        receive_in_pieces(link, memory.at(offset), offset + 1);
        require_pattern(memory.at(offset), whole(), offset + 1, 0,
                        "pieces at " + std::to_string(offset));
        require_bytes(memory.at(offset + whole()), kRoom - whole(), 0, "behind them");
        memory.discard();
    }
    proof.require_some(3 * (whole() - 3 * kPage));
}

CASE_OF_BOTH_FAMILIES(pieces_sent) {
    const LazyProof proof;
    const Link in(family);
    const Link out(family);
    const Arena memory(2 * kRoom);
    for (std::uint64_t stream = 1; stream <= 5; ++stream) {
        receive_in_pieces(in, memory.data(), stream);
        send_all(out.here, memory.data(), whole());
        require_arrival(out, whole(), stream, 0, "what was sent");
        // And in other parts than it came in.
        for (std::size_t at = 0; at < whole(); at += 7000)
            send_all(out.here, memory.at(at), std::min<std::size_t>(7000, whole() - at));
        require_arrival(out, whole(), stream, 0, "what was sent in parts");
    }
    require_pattern(memory.data(), whole(), 5, 0, "what was sent, read afterwards");
    proof.require_some(5 * (whole() - 2 * kPage));
}

// What a read leaves of a page is what was there before: of another stream, or zeros.
CASE(pieces_of_two_streams) {
    const LazyProof proof;
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        const Link out;
        receive_pattern(link, memory.data(), 16 * kPage, 1);
        feed(link, 5000, 2);
        seen.call("a piece", ::recv(link.here.get(), memory.at(300), 5000, 0));
        feed(link, 9000, 3);
        seen.call("a piece over its end", ::recv(link.here.get(), memory.at(5200), 9000, 0));
        feed(link, 4500, 4);
        seen.call("a piece to the end", ::recv(link.here.get(), memory.at(12 * kPage), 4500, 0));
        feed(link, 5000, 5);
        seen.call("a piece behind", ::recv(link.here.get(), memory.at(20 * kPage), 5000, 0));
        send_all(out.here, memory.data(), 24 * kPage);
        const std::string sent = take(out.peer, 24 * kPage);
        seen.bytes("sent", sent.data(), sent.size());
        seen.bytes("memory", memory.data(), kRoom);
        require_same(sent, std::string(memory.data(), sent.size()), "sent, and memory");
        require_pattern(memory.data(), 300, 1, 0, "before the first");
        require_pattern(memory.at(300), 4900, 2, 0, "the first");
        require_pattern(memory.at(5200), 9000, 3, 0, "the second");
        require_pattern(memory.at(14'200), 12 * kPage - 14'200, 1, 14'200, "between");
        require_pattern(memory.at(12 * kPage + 4500), 4 * kPage - 4500, 1, 12 * kPage + 4500,
                        "behind");
    });
    proof.require_some();
}

// Many small ones: they are of too many pieces, and copied.
CASE(pieces_of_many_reads) {
    const LazyProof proof;
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        receive_pattern(link, memory.data(), kRoom, 1);
        for (std::size_t at = 0; at + 300 < kPage; at += 300) {
            feed(link, 300, 2, at);
            feed(link, kPage, 3, at);
            // What is behind the 300 is overwritten by the next.
            iovec pieces[] = {{memory.at(5 * kPage + at), 300}, {memory.at(10 * kPage), kPage}};
            msghdr message = {};
            message.msg_iov = pieces;
            message.msg_iovlen = 2;
            seen.call("read", ::recvmsg(link.here.get(), &message, 0));
        }
        seen.bytes("memory", memory.data(), kRoom);
    });
    proof.require_some();
}

CASE(pieces_where_somebody_looked) {
    const LazyProof proof;
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        receive_pattern(link, memory.data(), 8 * kPage, 1);
        *memory.at(kPage + 9) = 'x';
        feed(link, 6000, 2);
        seen.call("read", ::recv(link.here.get(), memory.at(kPage + 1000), 6000, 0));
        require_equal(*memory.at(kPage + 9), 'x', "what was written");
        require_pattern(memory.at(kPage + 1000), 6000, 2, 0, "what was read");
        require_pattern(memory.at(kPage + 10), 990, 1, kPage + 10, "before it");
        seen.bytes("memory", memory.data(), kRoom);
    });
    proof.require_some();
}

// Somebody looks, or sends, while parts of pages come.
CASE_OF_BOTH_FAMILIES(pieces_watched) {
    const LazyProof proof;
    const Link in(family);
    const Arena memory(kRoom);
    Rounds receiving;
    Workers workers;
    for (int watcher = 0; watcher < 2; ++watcher)
        workers.start([&, watcher] {
            const Link out(family);
            std::string seen(2 * kPage, '\0');
            while (!receiving.over()) {
                const std::size_t at = watcher ? 8000 : 2000;
                (void)receiving.require_old_or_new(
                    seen, at,
                    [&] {
                        if (watcher) {
                            send_all(out.here, memory.at(at), seen.size());
                            receive_all(out.peer, seen.data(), seen.size());
                        } else {
                            std::memcpy(seen.data(), memory.at(at), seen.size());
                        }
                    },
                    watcher ? "what was sent" : "memory");
            }
        });
    {
        const AtEnd stop([&] { receiving.stop(); });
        for (int round = 1; round <= rounds(200, 10'000); ++round) {
            const auto stream = static_cast<std::uint64_t>(round);
            receiving.begin(stream);
            receive_in_pieces(in, memory.data(), stream);
            receiving.end(stream);
        }
    }
    workers.join();
    proof.require_some();
}

// A part of a page that somebody looked at becomes lazy as well, where it is not known
// that it is looked at again. The page is then mapped nowhere, and goes with the bytes.
class Again {
  public:
    Again() : feedback_("lazy_feedback", 1) {}

    // A page of stream 1 that is there and mapped, and a part of stream 2 in it.
    void receive_part(const Arena& memory, std::size_t page) {
        char* at = memory.at(page * kPage);
        put_pattern(at, kPage, 1, page * kPage);
        const Link link;  // of which nothing is known
        feed(link, kPart + kPage, 2);
        iovec pieces[] = {{at + 1000, kPart}, {memory.at(200 * kPage), kPage}};
        msghdr message = {};
        message.msg_iov = pieces;
        message.msg_iovlen = 2;
        require_equal(::recvmsg(link.here.get(), &message, 0), static_cast<ssize_t>(kPart + kPage),
                      "recvmsg");
    }
    static void require(const char* at, std::size_t page) {
        require_pattern(at, 1000, 1, page * kPage, "before the part");
        require_pattern(at + 1000, kPart, 2, 0, "the part");
        require_pattern(at + 1000 + kPart, kPage - 1000 - kPart, 1, page * kPage + 1000 + kPart,
                        "behind the part");
    }

  private:
    static constexpr std::size_t kPart = 2000;
    Sysctl feedback_;
};

CASE(pieces_again_read) {
    needs_libra();
    const LazyProof proof;
    Again again;
    const Arena memory(kAgain);
    again.receive_part(memory, 1);
    proof.require_some(2000 + kPage);
    Again::require(memory.at(kPage), 1);
    // Now it is known that it is looked at; and the bytes are the same.
    for (std::size_t page = 2; page < 20; ++page) {
        again.receive_part(memory, page);
        Again::require(memory.at(page * kPage), page);
    }
}

CASE(pieces_again_sent) {
    needs_libra();
    Again again;
    const Arena memory(kAgain);
    const Link out;
    for (std::size_t page = 0; page < 20; ++page) {
        const Moved lazy("lazy_tx_bytes");
        again.receive_part(memory, page);
        for (int twice = 0; twice < 2; ++twice) {
            send_all(out.here, memory.at(page * kPage), kPage);
            Again::require(take(out.peer, kPage).data(), page);
        }
        lazy.require_moved(2 * 4096, "sent twice");
        // What is sent is what was there, whatever is written afterwards.
        send_all(out.here, memory.at(page * kPage), kPage);
        std::memset(memory.at(page * kPage), 'x', kPage);
        Again::require(take(out.peer, kPage).data(), page);
        require_bytes(memory.at(page * kPage), kPage, 'x', "what was written");
    }
}

CASE(pieces_again_forked) {
    needs_libra();
    Again again;
    const Arena memory(kAgain);
    again.receive_part(memory, 1);
    Child child([&] {
        Again::require(memory.at(kPage), 1);
        std::memset(memory.at(kPage), 'c', kPage);
    });
    Again::require(memory.at(kPage), 1);
    std::memset(memory.at(kPage), 'p', kPage);
    child.wait("the child");
    require_bytes(memory.at(kPage), kPage, 'p', "the parent's page");
}

// A page in a pipe (vmsplice) is held: it is written where it is, and the pipe sees it.
CASE(pieces_again_held) {
    needs_libra();
    Again again;
    const Arena memory(kAgain);
    int ends[2];
    require_call(::pipe(ends) == 0, "pipe");
    const Fd reader(ends[0]);
    const Fd writer(ends[1]);
    put_pattern(memory.at(kPage), kPage, 1, kPage);
    iovec page = {memory.at(kPage), kPage};
    require_call(::vmsplice(writer.get(), &page, 1, 0) == static_cast<ssize_t>(kPage), "vmsplice");
    const Moved pinned("fallback_lazy_pinned");
    const Moved unmaps("lazy_unmaps");
    again.receive_part(memory, 1);
    pinned.require_moved(1, "held");
    unmaps.require_moved(0, "held");
    Again::require(memory.at(kPage), 1);
    std::string seen(kPage, '\0');
    require_call(::read(reader.get(), seen.data(), kPage) == static_cast<ssize_t>(kPage), "read");
    Again::require(seen.data(), 1);
}

// Others look at the page, and write to one byte of it, while parts of it come.
CASE(pieces_again_raced) {
    needs_libra();
    const LazyProof proof;
    Again again;
    const Arena memory(kAgain);
    std::atomic<bool> over{false};
    Workers workers;
    workers.start([&] {
        const Link out;
        while (!over) {
            send_all(out.here, memory.at(kPage), kPage);
            (void)take(out.peer, kPage);
        }
    });
    workers.start([&] {
        for (unsigned turn = 0; !over; ++turn) {
            __atomic_store_n(memory.at(kPage + 10), static_cast<char>(turn), __ATOMIC_RELAXED);
            ::usleep(turn % 50);
        }
    });
    {
        const AtEnd stop([&] { over = true; });
        for (int round = 0; round < rounds(300, 10'000); ++round) {
            again.receive_part(memory, 1);
            require_pattern(memory.at(kPage + 11), 989, 1, kPage + 11, "before the part");
            require_pattern(memory.at(kPage + 1000), 2000, 2, 0, "the part");
            require_pattern(memory.at(kPage + 3000), 1096, 1, kPage + 3000, "behind it");
        }
    }
    workers.join();
    proof.require_some();
}

// Small buffers in any order, some of them of other memory, and one of them twice.
CASE_OF_BOTH_FAMILIES(pieces_of_many_buffers) {
    const LazyProof proof;
    const Link in(family);
    const Link out(family);
    const Arena memory(64 * kPage);
    const Arena other(64 * kPage);
    std::string ordinary(3000, '\0');
    for (std::uint64_t stream = 1; stream <= 3; ++stream) {
        iovec pieces[] = {
            {memory.at(40 * kPage), kPage},     {memory.at(39 * kPage), kPage},
            {memory.at(3 * kPage), 2 * kPage},  {other.at(kPage), kPage},
            {other.at(3 * kPage), 20 * kPage},  {memory.at(50 * kPage), kPage + 100},
            {ordinary.data(), ordinary.size()}, {memory.at(10 * kPage), 3 * kPage},
            {memory.at(20 * kPage + 8), kPage}, {memory.at(30 * kPage), kPage},
        };
        std::size_t size = 0;
        for (const iovec& piece : pieces)
            size += piece.iov_len;
        feed(in, size, stream);
        require_equal(::readv(in.here.get(), pieces, std::size(pieces)), static_cast<ssize_t>(size),
                      "readv");
        require_equal(::writev(out.here.get(), pieces, std::size(pieces)),
                      static_cast<ssize_t>(size), "writev");
        require_arrival(out, size, stream, 0, "what was sent");
        std::size_t at = 0;
        for (const iovec& piece : pieces) {
            require_pattern(static_cast<char*>(piece.iov_base), piece.iov_len, stream, at,
                            "the buffer at " + std::to_string(at));
            at += piece.iov_len;
        }
        // What comes later stands, where buffers overlap.
        iovec twice[] = {{memory.at(0), 2 * kPage}, {memory.at(kPage), 2 * kPage}};
        feed(in, 4 * kPage, stream + 10);
        require_equal(::readv(in.here.get(), twice, 2), static_cast<ssize_t>(4 * kPage), "readv");
        require_pattern(memory.at(0), kPage, stream + 10, 0, "the first buffer");
        require_pattern(memory.at(kPage), 2 * kPage, stream + 10, 2 * kPage, "the second one");
        // A queue that ends inside of a buffer, and inside of a page.
        memory.discard();
        feed(in, 3 * kPage + 500, stream + 20);
        iovec short_of[] = {{memory.at(8 * kPage), kPage},
                            {memory.at(6 * kPage), kPage},
                            {memory.at(4 * kPage), 2 * kPage}};
        require_equal(::readv(in.here.get(), short_of, 3), static_cast<ssize_t>(3 * kPage + 500),
                      "readv");
        require_pattern(memory.at(8 * kPage), kPage, stream + 20, 0, "the first");
        require_pattern(memory.at(6 * kPage), kPage, stream + 20, kPage, "the second");
        require_pattern(memory.at(4 * kPage), kPage + 500, stream + 20, 2 * kPage, "the third");
        require_bytes(memory.at(5 * kPage + 500), kPage - 500, 0, "behind it");
    }
    proof.require_some(std::uint64_t{3} * 30 * kPage);
}

// One page is named by all buffers of a read, which meets a limit somewhere: the last
// bytes are what is there in the end.
CASE(pieces_of_one_page_at_a_limit) {
    needs_libra();
    const Arena memory(kRoom);
    constexpr std::size_t kTimes = 13;
    constexpr std::size_t kSegment = 3000;
    std::uint64_t stream = 0;
    for (long limit = 40'000; limit < 80'000; limit += setting().long_run ? 50 : 200) {
        const Link link(AF_INET, 0);
        set_option(link.peer, IPPROTO_TCP, TCP_NODELAY, 1);
        const std::string bytes = pattern(kTimes * kPage, ++stream);
        for (std::size_t at = 0; at < bytes.size(); at += kSegment)
            send_all(link.peer, bytes.substr(at, kSegment));
        wait_queued(link.here, bytes.size());
        memory.discard();
        iovec pieces[kTimes];
        std::fill(std::begin(pieces), std::end(pieces), iovec{memory.data(), kPage});
        {
            const Sysctl least("max_process_bytes", limit);
            require_equal(::readv(link.here.get(), pieces, kTimes),
                          static_cast<ssize_t>(kTimes * kPage), "readv");
        }
        require_pattern(memory.data(), kPage, stream, (kTimes - 1) * kPage,
                        "with a limit of " + std::to_string(limit));
    }
}

}  // namespace
}  // namespace libra::test
