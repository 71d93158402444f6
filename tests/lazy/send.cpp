// SPDX-License-Identifier: GPL-2.0-only
// Received into payload memory, and sent from there to another connection.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kSizes[] = {4095, 4096, 4097, 8193, 20'000, 65'536, 65'537, 150'000};
constexpr std::size_t kOffsets[] = {0, 1, 256, 4095};
constexpr std::size_t kRoom = 256 << 10;

// Two connections, and payload memory between them.
struct Relay {
    explicit Relay(int family = AF_INET) : in(family), out(family), memory(kRoom) {}

    void receive(std::size_t at, std::size_t size, std::uint64_t stream) const {
        receive_pattern(in, memory.at(at), size, stream);
    }

    Link in;
    Link out;
    Arena memory;
};

CASE_OF_BOTH_FAMILIES(send_whole) {
    const LazyProof proof;
    const Relay relay(family);
    std::uint64_t stream = 0;
    for (const std::size_t size : kSizes)
        for (const std::size_t offset : kOffsets) {
            const std::string what = std::to_string(size) + " bytes at " + std::to_string(offset);
            relay.receive(offset, size, ++stream);
            send_all(relay.out.here, relay.memory.at(offset), size);
            require_arrival(relay.out, size, stream, 0, what);
            require_pattern(relay.memory.at(offset), size, stream, 0, what + ", read afterwards");
        }
    proof.require_some();
}

// A proxy that never looks: memory is not touched from one message to the next.
CASE_OF_BOTH_FAMILIES(send_untouched) {
    const LazyProof proof;
    const Relay relay(family);
    for (std::uint64_t stream = 1; stream <= 50; ++stream) {
        const std::size_t size = kSizes[stream % std::size(kSizes)];
        relay.receive(0, size, stream);
        send_all(relay.out.here, relay.memory.data(), size);
        require_arrival(relay.out, size, stream, 0, "message " + std::to_string(stream));
    }
    proof.require_some();
}

CASE(send_in_parts) {
    const LazyProof proof;
    const Relay relay;
    std::uint64_t stream = 0;
    for (const std::size_t part : {1000, 1448, 4095, 4096, 4097, 8192, 10'000, 65'536}) {
        relay.receive(11, 100'000, ++stream);
        for (std::size_t done = 0; done < 100'000; done += part)
            send_all(relay.out.here, relay.memory.at(11 + done), std::min(part, 100'000 - done));
        require_arrival(relay.out, 100'000, stream, 0, "parts of " + std::to_string(part));
    }
    proof.require_some();
}

CASE(send_repeatedly) {
    const LazyProof proof;
    const Relay relay;
    relay.receive(300, 50'000, 1);
    for (int turn = 0; turn < 10; ++turn) {
        send_all(relay.out.here, relay.memory.at(300), 50'000);
        require_arrival(relay.out, 50'000, 1, 0, "turn " + std::to_string(turn));
    }
    require_pattern(relay.memory.at(300), 50'000, 1, 0, "read afterwards");
    proof.require_some();
}

CASE(send_to_several) {
    const LazyProof proof;
    const Relay relay;
    const Link second(AF_INET6);
    relay.receive(0, 100'000, 1);
    for (const Link* out : {&relay.out, &second})
        send_all(out->here, relay.memory.data(), 100'000);
    require_arrival(second, 100'000, 1, 0, "to the second");
    require_arrival(relay.out, 100'000, 1, 0, "to the first");
    proof.require_some();
}

CASE(send_out_of_order) {
    const LazyProof proof;
    const Relay relay;
    relay.receive(0, 24 * kPage, 1);
    for (std::size_t page = 24; page-- > 0;) {
        send_all(relay.out.here, relay.memory.at(page * kPage), kPage);
        require_arrival(relay.out, kPage, 1, page * kPage, "page " + std::to_string(page));
    }
    for (std::size_t at = 20 * kPage; at > 5000; at -= 4500) {
        send_all(relay.out.here, relay.memory.at(at), 9000);
        require_arrival(relay.out, 9000, 1, at, "from " + std::to_string(at));
    }
    proof.require_some();
}

CASE(send_from_inside_a_page) {
    const LazyProof proof;
    const Relay relay;
    relay.receive(0, 10 * kPage, 1);
    for (const std::size_t at : {std::size_t{1}, kPage - 1, kPage + 1, 3 * kPage - 2})
        for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{100}, kPage - 1,
                                       kPage, kPage + 1, 3 * kPage}) {
            send_all(relay.out.here, relay.memory.at(at), size);
            require_arrival(relay.out, size, 1, at,
                            std::to_string(size) + " bytes from " + std::to_string(at));
        }
    proof.require_some();
}

// Pages that were looked at or written between those that were not.
CASE(send_partly_touched) {
    const LazyProof proof;
    const Relay relay;
    for (std::uint64_t stream = 1; stream <= 8; ++stream) {
        relay.receive(50, 100'000, stream);
        std::string expected = pattern(100'000, stream);
        for (std::size_t at = stream * 500; at < 100'000; at += stream * 5000) {
            *relay.memory.at(50 + at) = '!';
            expected[at] = '!';
        }
        send_all(relay.out.here, relay.memory.at(50), 100'000);
        require_same(take(relay.out.peer, 100'000), expected, "what arrived");
        require_same(std::string(relay.memory.at(50), 100'000), expected, "what is in memory");
    }
    proof.require_some();
}

CASE_OF_BOTH_FAMILIES(send_gathered) {
    const LazyProof proof;
    const Relay relay(family);
    std::uint64_t stream = 0;
    for (const std::size_t size : kSizes) {
        const std::string head = pattern(130, 1000);
        const std::string tail = pattern(6000, 1001);
        const std::size_t half = size / 2;
        relay.receive(9, size, ++stream);
        iovec pieces[] = {{const_cast<char*>(head.data()), head.size()},
                          {relay.memory.at(9), half},
                          {const_cast<char*>("\r\n"), 2},
                          {relay.memory.at(9 + half), size - half},
                          {const_cast<char*>(tail.data()), tail.size()},
                          {relay.memory.at(9), std::min<std::size_t>(size, 5000)}};
        std::string expected;
        for (const iovec& piece : pieces)
            expected.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
        // Filled by the line before: once more, so that it is lazy.
        relay.receive(9, size, stream);
        require_equal(::writev(relay.out.here.get(), pieces, 6),
                      static_cast<ssize_t>(expected.size()), "writev");
        require_same(take(relay.out.peer, expected.size()), expected,
                     "around " + std::to_string(size) + " bytes");
    }
    proof.require_some();
}

CASE(send_64_buffers) {
    const LazyProof proof;
    const Relay relay;
    for (const std::size_t size : {std::size_t{1000}, kPage, std::size_t{4000}}) {
        relay.receive(0, 64 * kPage, size);
        std::vector<iovec> pieces;
        std::string expected;
        for (std::size_t i = 64; i-- > 0;) {
            pieces.push_back({relay.memory.at(i * kPage), size});
            expected += pattern(size, size, i * kPage);
        }
        require_equal(::writev(relay.out.here.get(), pieces.data(), 64),
                      static_cast<ssize_t>(64 * size), "writev");
        require_same(take(relay.out.peer, expected.size()), expected,
                     "64 of " + std::to_string(size));
    }
    proof.require_some();
}

CASE(send_with_more_to_come) {
    const LazyProof proof;
    const Relay relay;
    for (const std::size_t part : {std::size_t{100}, std::size_t{5000}, kPage, 5 * kPage}) {
        relay.receive(0, 20 * kPage, part);
        std::string expected;
        for (std::size_t at = 0; at + part <= 20 * kPage && at < 50 * part; at += part) {
            iovec piece = {relay.memory.at(at), part};
            msghdr message = {};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            require_equal(::sendmsg(relay.out.here.get(), &message, MSG_MORE | MSG_NOSIGNAL),
                          static_cast<ssize_t>(part), "sendmsg");
            expected += pattern(part, part, at);
        }
        send_all(relay.out.here, ".", 1);
        require_same(take(relay.out.peer, expected.size() + 1), expected + ".",
                     "parts of " + std::to_string(part));
    }
    proof.require_some();
}

CASE(send_under_cork) {
    const LazyProof proof;
    const Relay relay;
    set_option(relay.out.here, IPPROTO_TCP, TCP_CORK, 1);
    relay.receive(0, 60'000, 1);
    send_all(relay.out.here, "head", 4);
    send_all(relay.out.here, relay.memory.data(), 60'000);
    send_all(relay.out.here, "tail", 4);
    set_option(relay.out.here, IPPROTO_TCP, TCP_CORK, 0);
    require_same(take(relay.out.peer, 60'008), "head" + pattern(60'000, 1) + "tail", "corked");
    proof.require_some();
}

// What was sent is what the memory held at that time, whoever writes to it later.
CASE(send_then_overwrite) {
    const LazyProof proof;
    const Relay relay;
    std::string expected;
    for (std::uint64_t stream = 1; stream <= 6; ++stream) {
        relay.receive(0, 40'000, stream);
        send_all(relay.out.here, relay.memory.data(), 40'000);
        expected += pattern(40'000, stream);
        if (stream % 3 == 1)
            std::memset(relay.memory.data(), '?', 40'000);
        else if (stream % 3 == 2)
            relay.memory.discard(0, 10 * kPage);
    }
    require_same(take(relay.out.peer, expected.size()), expected, "what was sent");
    proof.require_some();
}

CASE(send_after_discard) {
    const Relay relay;
    relay.receive(0, 10 * kPage, 1);
    relay.memory.discard(kPage, 3 * kPage);
    send_all(relay.out.here, relay.memory.data(), 10 * kPage);
    const std::string got = take(relay.out.peer, 10 * kPage);
    require_pattern(got.data(), kPage, 1, 0, "before what was discarded");
    require_bytes(got.data() + kPage, 3 * kPage, 0, "what was discarded");
    require_pattern(got.data() + 4 * kPage, 6 * kPage, 1, 4 * kPage, "behind it");
}

// Memory that nobody ever wrote to is zeros.
CASE(send_empty_memory) {
    const Relay relay;
    send_all(relay.out.here, relay.memory.at(5), 5 * kPage);
    const std::string got = take(relay.out.peer, 5 * kPage);
    require_bytes(got.data(), got.size(), 0, "what arrived");
}

CASE_OF_BOTH_FAMILIES(send_after_the_origin_is_gone) {
    const LazyProof proof;
    const Link out(family);
    const Arena memory(kRoom);
    {
        const Link in(family);
        receive_pattern(in, memory.data(), 100'000, 1);
    }
    send_all(out.here, memory.data(), 100'000);
    require_arrival(out, 100'000, 1, 0, "what arrived");
    proof.require_some();
}

// Back to where it came from.
CASE(send_echo) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    for (std::uint64_t stream = 1; stream <= 10; ++stream) {
        receive_pattern(link, memory.at(stream), 50'000, stream);
        send_all(link.here, memory.at(stream), 50'000);
        require_arrival(link, 50'000, stream, 0, "echo");
    }
    proof.require_some();
}

// Little room: a send takes a part, and the rest follows from there.
CASE_OF_BOTH_FAMILIES(send_against_back_pressure) {
    const LazyProof proof;
    const Link in(family);
    const Link out(family, 8192);
    const Arena memory(1 << 20);
    constexpr std::size_t kSize = 900'000;
    receive_pattern(in, memory.at(3), kSize, 1);
    std::string got;
    std::string trouble;
    std::thread reader([&] {
        try {
            while (got.size() < kSize)
                got += take(out.peer, std::min<std::size_t>(3000, kSize - got.size()));
        } catch (const std::exception& error) {
            trouble = error.what();
        }
    });
    std::size_t done = 0;
    while (done < kSize) {
        const ssize_t count =
            ::send(out.here.get(), memory.at(3 + done), kSize - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) {
            done += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN) {
            pollfd poll = {.fd = out.here.get(), .events = POLLOUT, .revents = 0};
            if (::poll(&poll, 1, 30'000) != 1)
                break;
        } else {
            break;
        }
    }
    reader.join();
    require_equal(trouble, "", "the reader");
    require_same(got, pattern(kSize, 1), "what arrived");
    proof.require_some();
}

// One call that sleeps until all is gone.
CASE(send_blocking) {
    const LazyProof proof;
    const Link in;
    const Link out(AF_INET, 8192);
    const Arena memory(1 << 20);
    receive_pattern(in, memory.data(), 900'000, 1);
    ssize_t sent = 0;
    std::thread sender([&] { sent = ::send(out.here.get(), memory.data(), 900'000, 0); });
    const std::string got = take(out.peer, 900'000);
    sender.join();
    require_equal(sent, 900'000, "send");
    require_same(got, pattern(900'000, 1), "what arrived");
    proof.require_some();
}

CASE(send_reset_by_the_client) {
    const LazyProof proof;
    const Link in;
    const Arena memory(kRoom);
    receive_pattern(in, memory.data(), 200'000, 1);
    {
        Link out(AF_INET, 8192);
        const linger hard = {.l_onoff = 1, .l_linger = 0};
        require_call(::setsockopt(out.peer.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0,
                     "SO_LINGER");
        require(::send(out.here.get(), memory.data(), 200'000, MSG_DONTWAIT) > 0, "send");
        out.peer.reset();
        while (::send(out.here.get(), memory.data(), 200'000, MSG_NOSIGNAL) > 0) {
        }
        require(errno == ECONNRESET || errno == EPIPE, "the reset is not told");
    }
    require_pattern(memory.data(), 200'000, 1, 0, "read afterwards");
    proof.require_some();
}

CASE(send_zerocopy) {
    const LazyProof proof;
    const Relay relay;
    set_option(relay.out.here, SOL_SOCKET, SO_ZEROCOPY, 1);
    for (std::uint64_t stream = 1; stream <= 5; ++stream) {
        relay.receive(stream, 60'000, stream);
        send_all(relay.out.here, relay.memory.at(stream), 60'000, MSG_ZEROCOPY);
        require_arrival(relay.out, 60'000, stream, 0, "stream " + std::to_string(stream));
    }
    proof.require_some();
}

// Bytes that a local sender may still change are not kept by reference.
CASE(send_of_pages_that_others_change) {
    const Relay relay;
    const Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    require_call(static_cast<bool>(file), "a temporary file");
    int ends[2];
    require_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
    const Fd from(ends[0]);
    const Fd to(ends[1]);
    const std::string old = pattern(16 * kPage, 1);
    require_equal(::pwrite(file.get(), old.data(), old.size(), 0), static_cast<ssize_t>(old.size()),
                  "pwrite");
    loff_t at = 0;
    for (std::size_t done = 0; done < old.size();) {
        const ssize_t count =
            ::splice(file.get(), &at, to.get(), nullptr, old.size() - done, SPLICE_F_MOVE);
        require_call(count > 0, "splice");
        require_equal(::splice(from.get(), nullptr, relay.in.peer.get(), nullptr,
                               static_cast<std::size_t>(count), 0),
                      count, "splice");
        done += static_cast<std::size_t>(count);
    }
    wait_queued(relay.in.here, old.size());
    receive_all(relay.in.here, relay.memory.data(), old.size());
    const std::string later = pattern(16 * kPage, 2);
    require_equal(::pwrite(file.get(), later.data(), later.size(), 0),
                  static_cast<ssize_t>(later.size()), "pwrite");
    send_all(relay.out.here, relay.memory.data(), old.size());
    require_arrival(relay.out, old.size(), 1, 0, "what arrived");
    require_pattern(relay.memory.data(), old.size(), 1, 0, "what is in memory");
}

}  // namespace
}  // namespace libra::test
