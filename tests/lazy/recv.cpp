// SPDX-License-Identifier: GPL-2.0-only
// What recv() says and does, beyond the bytes: the same on both kinds of memory.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "twin.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 40'000;

int pending(const Fd& fd, short events, int timeout = 0) {
    pollfd poll = {.fd = fd.get(), .events = events, .revents = 0};
    const int count = ::poll(&poll, 1, timeout);
    return count == 1 ? poll.revents : count;
}

// After a pause, so that somebody sleeps by then.
template <typename Action>
std::thread later(Action action) {
    return std::thread([action] {
        ::usleep(100'000);
        action();
    });
}

CASE_OF_BOTH_FAMILIES(recv_peek) {
    const LazyProof proof;
    same_on_both(kRoom, [family](const Arena& memory, Transcript& seen) {
        const Link link(family);
        feed(link, kSize, 1);
        seen.call("peek", ::recv(link.here.get(), memory.at(7), kSize, MSG_PEEK));
        seen.bytes("peeked", memory.data(), kSize);
        seen.call("peek a part", ::recv(link.here.get(), memory.at(4096), 9000, MSG_PEEK));
        seen.note("queued", queued(link.here));
        seen.call("read", ::recv(link.here.get(), memory.data(), 20'000, 0));
        seen.call("peek", ::recv(link.here.get(), memory.at(20'000), kRoom / 2, MSG_PEEK));
        seen.call("read", ::recv(link.here.get(), memory.at(20'000), kRoom / 2, 0));
        seen.bytes("memory", memory.data(), kRoom);
        require_pattern(memory.data(), kSize, 1, 0, "what was peeked and read");
    });
    proof.require_some();
}

CASE(recv_peek_offset) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        const int offset = 5000;
        feed(link, kSize, 1);
        seen.call("SO_PEEK_OFF",
                  ::setsockopt(link.here.get(), SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)));
        seen.call("peek", ::recv(link.here.get(), memory.data(), 9000, MSG_PEEK));
        seen.call("peek", ::recv(link.here.get(), memory.at(9000), 9000, MSG_PEEK));
        seen.call("read", ::recv(link.here.get(), memory.at(20'000), 9000, 0));
        seen.call("peek", ::recv(link.here.get(), memory.at(40'000), 9000, MSG_PEEK));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE_OF_BOTH_FAMILIES(recv_truncated) {
    same_on_both(kRoom, [family](const Arena& memory, Transcript& seen) {
        const Link link(family);
        feed(link, kSize, 1);
        seen.call("discard", ::recv(link.here.get(), memory.data(), 10'000, MSG_TRUNC));
        seen.bytes("memory, not written", memory.data(), kRoom);
        seen.call("discard", ::recv(link.here.get(), nullptr, 10'000, MSG_TRUNC));
        seen.call("read", ::recv(link.here.get(), memory.data(), 10'000, 0));
        seen.call("discard", ::recv(link.here.get(), memory.data(), INT_MAX, MSG_TRUNC));
        seen.call("nothing", ::recv(link.here.get(), memory.data(), 1, MSG_DONTWAIT));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE_OF_BOTH_FAMILIES(recv_waits_for_all) {
    const LazyProof proof;
    same_on_both(kRoom, [family](const Arena& memory, Transcript& seen) {
        const Link link(family);
        feed(link, kSize, 1);
        std::thread rest = later([&] { send_all(link.peer, pattern(kSize, 1, kSize)); });
        seen.call("all", ::recv(link.here.get(), memory.at(5), 2 * kSize, MSG_WAITALL));
        rest.join();
        seen.bytes("memory", memory.data(), kRoom);
        require_pattern(memory.at(5), 2 * kSize, 1, 0, "what was waited for");
        // The end comes before all is there.
        feed(link, 5000, 2);
        std::thread end = later([&] { ::shutdown(link.peer.get(), SHUT_WR); });
        seen.call("not all", ::recv(link.here.get(), memory.data(), 2 * kSize, MSG_WAITALL));
        end.join();
        seen.call("the end", ::recv(link.here.get(), memory.data(), 2 * kSize, MSG_WAITALL));
        seen.bytes("memory", memory.data(), kRoom);
    });
    proof.require_some();
}

CASE(recv_waits_for_some) {
    const LazyProof proof;
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        std::thread some = later([&] { send_all(link.peer, pattern(kSize, 1)); });
        std::size_t got = 0;
        while (got < kSize) {  // how many reads it takes is chance
            const ssize_t count = ::recv(link.here.get(), memory.at(got), kRoom / 2, 0);
            require_call(count > 0, "recv");
            got += static_cast<std::size_t>(count);
        }
        some.join();
        seen.note("bytes", got);
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_nonblocking) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        seen.call("nothing", ::recv(link.here.get(), memory.data(), kSize, MSG_DONTWAIT));
        feed(link, kSize, 1);
        seen.call("some", ::recv(link.here.get(), memory.data(), 2 * kSize, MSG_DONTWAIT));
        seen.call("nothing", ::recv(link.here.get(), memory.data(), kSize, MSG_DONTWAIT));
        feed(link, kSize, 2);
        seen.call("some of all",
                  ::recv(link.here.get(), memory.data(), 2 * kSize, MSG_DONTWAIT | MSG_WAITALL));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_low_water_mark) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        set_option(link.here, SOL_SOCKET, SO_RCVLOWAT, 30'000);
        feed(link, 20'000, 1);
        seen.note("readable", pending(link.here, POLLIN, 50));
        // As much as the mark once more: what wakes the reader is what is queued then.
        std::thread rest = later([&] { send_all(link.peer, pattern(kSize, 1, 20'000)); });
        const ssize_t count = ::recv(link.here.get(), memory.data(), kRoom / 2, 0);
        rest.join();
        seen.note("at least the mark", count >= 30'000);
        if (count < 60'000)
            receive_all(link.here, memory.at(static_cast<std::size_t>(count)),
                        60'000 - static_cast<std::size_t>(count));
        seen.bytes("memory", memory.data(), kRoom);
        feed(link, 10'000, 2);
        seen.call("less than the mark",
                  ::recv(link.here.get(), memory.data(), kSize, MSG_DONTWAIT));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_time_limit) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        const timeval limit = {.tv_sec = 0, .tv_usec = 100'000};
        require_call(
            ::setsockopt(link.here.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0,
            "SO_RCVTIMEO");
        seen.call("nothing", ::recv(link.here.get(), memory.data(), kSize, 0));
        feed(link, kSize, 1);
        seen.call("not all", ::recv(link.here.get(), memory.data(), 2 * kSize, MSG_WAITALL));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_interrupted) {
    struct sigaction action = {};
    action.sa_handler = [](int) {};  // no SA_RESTART
    require_call(::sigaction(SIGALRM, &action, nullptr) == 0, "sigaction");
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        itimerval timer = {};
        timer.it_value.tv_usec = 200'000;
        ::setitimer(ITIMER_REAL, &timer, nullptr);
        seen.call("nothing", ::recv(link.here.get(), memory.data(), kSize, 0));
        feed(link, kSize, 1);
        ::setitimer(ITIMER_REAL, &timer, nullptr);
        seen.call("not all", ::recv(link.here.get(), memory.data(), 2 * kSize, MSG_WAITALL));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE_OF_BOTH_FAMILIES(recv_urgent) {
    for (const int in_line : {0, 1})
        same_on_both(kRoom, [&](const Arena& memory, Transcript& seen) {
            const Link link(family);
            set_option(link.here, SOL_SOCKET, SO_OOBINLINE, in_line);
            feed(link, 20'000, 1);
            require_equal(::send(link.peer.get(), "!", 1, MSG_OOB), 1, "send");
            send_all(link.peer, pattern(20'000, 1, 20'000));
            while (!(pending(link.here, POLLPRI, 1000) & POLLPRI)) {
            }
            int queue = 0;
            for (int turn = 0; turn < 10'000 && queue < 40'000; ++turn) {
                // FIONREAD ends at the mark: what is behind it shows after it only.
                require_call(::ioctl(link.peer.get(), SIOCOUTQ, &queue) == 0, "SIOCOUTQ");
                if (queue == 0)
                    break;
                ::usleep(1000);
            }
            std::size_t at = 0;
            for (int turn = 0; turn < 4; ++turn) {
                int mark = 0;
                require_call(::ioctl(link.here.get(), SIOCATMARK, &mark) == 0, "SIOCATMARK");
                seen.note("at the mark", mark);
                seen.note("queued", queued(link.here));
                const ssize_t count = seen.call(
                    "read", ::recv(link.here.get(), memory.at(at), kRoom / 2, MSG_DONTWAIT));
                at += count > 0 ? static_cast<std::size_t>(count) : 0;
                char urgent = 0;
                if (turn == 0) {
                    seen.call("urgent",
                              ::recv(link.here.get(), &urgent, 1, MSG_OOB | MSG_DONTWAIT));
                    seen.note("urgent byte", +urgent);
                }
            }
            seen.bytes("memory", memory.data(), kRoom);
        });
}

// The urgent byte itself goes to payload memory.
CASE(recv_urgent_byte) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        const Link other;
        receive_pattern(other, memory.data(), kSize, 9);
        require_equal(::send(link.peer.get(), "!", 1, MSG_OOB), 1, "send");
        while (!(pending(link.here, POLLPRI, 1000) & POLLPRI)) {
        }
        seen.call("urgent", ::recv(link.here.get(), memory.at(5000), 1, MSG_OOB));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE_OF_BOTH_FAMILIES(recv_end_of_stream) {
    const LazyProof proof;
    same_on_both(kRoom, [family](const Arena& memory, Transcript& seen) {
        const Link link(family);
        feed(link, kSize, 1);
        require_call(::shutdown(link.peer.get(), SHUT_WR) == 0, "shutdown");
        ::usleep(20'000);
        seen.note("readable", pending(link.here, POLLIN | POLLRDHUP, 1000));
        seen.call("all", ::recv(link.here.get(), memory.at(1), kRoom / 2, 0));
        for (int turn = 0; turn < 2; ++turn)
            seen.call("the end", ::recv(link.here.get(), memory.at(kSize + 1), kSize, 0));
        seen.bytes("memory", memory.data(), kRoom);
        // It may still be answered.
        send_all(link.here, memory.at(1), kSize);
        seen.bytes("answer", take(link.peer, kSize).data(), kSize);
    });
    proof.require_some();
}

CASE_OF_BOTH_FAMILIES(recv_reset) {
    same_on_both(kRoom, [family](const Arena& memory, Transcript& seen) {
        Link link(family);
        feed(link, kSize, 1);
        seen.call("some", ::recv(link.here.get(), memory.data(), 20'000, 0));
        const linger hard = {.l_onoff = 1, .l_linger = 0};
        require_call(::setsockopt(link.peer.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0,
                     "SO_LINGER");
        link.peer.reset();
        ::usleep(20'000);
        seen.note("readable", pending(link.here, POLLIN, 1000));
        seen.call("reset", ::recv(link.here.get(), memory.at(20'000), kSize, MSG_DONTWAIT));
        seen.call("afterwards", ::recv(link.here.get(), memory.at(20'000), kSize, MSG_DONTWAIT));
        seen.call("once more", ::recv(link.here.get(), memory.at(20'000), kSize, MSG_DONTWAIT));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_after_own_shutdown) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        feed(link, kSize, 1);
        seen.call("shutdown", ::shutdown(link.here.get(), SHUT_RD));
        seen.call("all", ::recv(link.here.get(), memory.data(), kRoom / 2, MSG_DONTWAIT));
        seen.call("the end", ::recv(link.here.get(), memory.data(), kSize, MSG_DONTWAIT));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_fionread) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        feed(link, 100'000, 1);
        std::size_t at = 0;
        for (const std::size_t part : {1, 4095, 4096, 8192, 5000, 65'536}) {
            seen.call("read", ::recv(link.here.get(), memory.at(at), part, 0));
            at += part;
            seen.note("queued", queued(link.here));
        }
        seen.call("rest", ::recv(link.here.get(), memory.at(at), kRoom / 2, 0));
        seen.note("queued", queued(link.here));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

CASE(recv_epoll_edge) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
        epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.u32 = 0}};
        require_call(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, link.here.get(), &event) == 0,
                     "epoll_ctl");
        const auto wait = [&](const char* what, int timeout) {
            event.events = 0;
            seen.call(what, ::epoll_wait(epoll.get(), &event, 1, timeout));
            seen.note("events", event.events);
        };
        wait("nothing", 0);
        feed(link, kSize, 1);
        wait("data", 1000);
        seen.call("read", ::recv(link.here.get(), memory.data(), 20'000, 0));
        wait("no edge", 50);
        feed(link, 5000, 1, kSize);
        wait("more data", 1000);
        seen.call("rest", ::recv(link.here.get(), memory.at(20'000), kRoom / 2, 0));
        wait("no edge", 50);
        require_call(::shutdown(link.peer.get(), SHUT_WR) == 0, "shutdown");
        wait("the end", 1000);
        seen.bytes("memory", memory.data(), kRoom);
    });
}

// Sizes of requests that name more, or less, than there is.
CASE(recv_odd_requests) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        feed(link, kSize, 1);
        seen.call("no bytes", ::recv(link.here.get(), memory.data(), 0, 0));
        seen.call("no bytes, nowhere", ::recv(link.here.get(), nullptr, 0, 0));
        seen.call("no iovecs", ::readv(link.here.get(), nullptr, 0));
        iovec empty[] = {{memory.data(), 0}, {memory.at(1), 0}};
        seen.call("empty iovecs", ::readv(link.here.get(), empty, 2));
        iovec wild[] = {{memory.data(), static_cast<std::size_t>(-1)}};
        seen.call("a negative size", ::readv(link.here.get(), wild, 1));
        seen.call("unknown flags", ::recv(link.here.get(), memory.data(), 5000, 0x00800000));
        seen.call("the error queue", ::recv(link.here.get(), memory.data(), 5000, MSG_ERRQUEUE));
        seen.note("queued", queued(link.here));
        seen.call("all", ::recv(link.here.get(), memory.data(), kRoom, 0));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

// read(2) and its kin.
CASE(recv_by_other_names) {
    const LazyProof proof;
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        feed(link, 100'000, 1);
        seen.call("read", ::read(link.here.get(), memory.data(), 10'000));
        sockaddr_storage from = {};
        socklen_t size = sizeof(from);
        seen.call("recvfrom", ::recvfrom(link.here.get(), memory.at(10'000), 10'000, 0,
                                         reinterpret_cast<sockaddr*>(&from), &size));
        seen.note("address", size);
        iovec pieces[] = {{memory.at(20'000), 10'000}, {memory.at(30'000), 10'000}};
        msghdr message = {};
        message.msg_iov = pieces;
        message.msg_iovlen = 2;
        char control[200];
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        seen.call("recvmsg", ::recvmsg(link.here.get(), &message, 0));
        seen.note("flags", message.msg_flags);
        seen.note("control", message.msg_controllen);
        mmsghdr several[2] = {};
        iovec one = {memory.at(40'000), 10'000};
        iovec other = {memory.at(50'000), 10'000};
        several[0].msg_hdr.msg_iov = &one;
        several[1].msg_hdr.msg_iov = &other;
        several[0].msg_hdr.msg_iovlen = several[1].msg_hdr.msg_iovlen = 1;
        seen.call("recvmmsg", ::recvmmsg(link.here.get(), several, 2, 0, nullptr));
        seen.note("the second", several[1].msg_len);
        iovec last[] = {{memory.at(60'000), 40'000}};
        seen.call("preadv2", ::preadv2(link.here.get(), last, 1, 0, 0));
        seen.call("preadv2, here", ::preadv2(link.here.get(), last, 1, -1, RWF_NOWAIT));
        seen.bytes("memory", memory.data(), kRoom);
    });
    proof.require_some();
}

CASE(recv_control_messages) {
    // The kernel begins to stamp packets a while after the first socket asks for it.
    const Link first;
    set_option(first.here, SOL_SOCKET, SO_TIMESTAMP, 1);
    ::usleep(500'000);
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        set_option(link.here, IPPROTO_TCP, TCP_INQ, 1);
        set_option(link.here, SOL_SOCKET, SO_TIMESTAMP, 1);
        feed(link, kSize, 1);
        for (int turn = 0; turn < 3; ++turn) {
            iovec piece = {memory.at(20'000 * static_cast<std::size_t>(turn)), 20'000};
            char control[300] = {};
            msghdr message = {};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            message.msg_control = control;
            message.msg_controllen = sizeof(control);
            seen.call("recvmsg", ::recvmsg(link.here.get(), &message, MSG_DONTWAIT));
            seen.note("flags", message.msg_flags);
            for (cmsghdr* each = CMSG_FIRSTHDR(&message); each && turn < 2;
                 each = CMSG_NXTHDR(&message, each)) {
                seen.note("level", each->cmsg_level);
                seen.note("type", each->cmsg_type);
                if (each->cmsg_level == SOL_TCP && each->cmsg_type == TCP_CM_INQ)
                    seen.note("in the queue", *reinterpret_cast<int*>(CMSG_DATA(each)));
            }
        }
        seen.bytes("memory", memory.data(), kRoom);
    });
}

// What came in before the first byte that cannot be written counts, or nothing does;
// the rest waits. (Which it is depends on the buffers of the kernel, natively.)
void recv_into_wall(const std::vector<iovec>& pieces, std::size_t good, const Fd& from,
                    std::uint64_t stream, std::size_t queue) {
    const ssize_t count = ::readv(from.get(), pieces.data(), static_cast<int>(pieces.size()));
    if (count < 0)
        require_equal(std::string(std::strerror(errno)), std::strerror(EFAULT), "into a wall");
    const std::size_t got = count > 0 ? static_cast<std::size_t>(count) : 0;
    require(got <= good,
            std::to_string(got) + " bytes went to where " + std::to_string(good) + " can go");
    require(count != 0, "no bytes, and no error");
    require_equal(queued(from), queue - got, "what is left in the queue");
    std::size_t position = 0;
    for (const iovec& piece : pieces) {
        const std::size_t part = std::min(piece.iov_len, got - position);
        require_pattern(static_cast<const char*>(piece.iov_base), part, stream, position,
                        "before the wall");
        position += part;
    }
    const std::string rest = take(from, queue - got);
    require_pattern(rest.data(), rest.size(), stream, got, "the rest of the stream");
}

void recv_into_protected(std::size_t wall, std::size_t first, int protection) {
    const Arena memory(kRoom);
    const Link link;
    if (protection < 0)
        require_call(::munmap(memory.at(wall), 8 * kPage) == 0, "munmap");
    else
        require_call(::mprotect(memory.at(wall), 8 * kPage, protection) == 0, "mprotect");
    for (const std::size_t size : {4 * kPage, 20 * kPage}) {
        feed(link, size, 1);
        recv_into_wall({{memory.at(first), size}}, wall > first ? wall - first : 0, link.here, 1,
                       size);
    }
    if (protection == PROT_READ)
        require_bytes(memory.at(wall), 8 * kPage, 0, "the wall");
}

CASE(recv_into_unmapped_memory) {
    recv_into_protected(8 * kPage, 6 * kPage, -1);
    recv_into_protected(8 * kPage, 8 * kPage - 100, -1);
    recv_into_protected(8 * kPage, 7 * kPage - 1, -1);
    recv_into_protected(8 * kPage, 9 * kPage, -1);
}

CASE(recv_into_memory_without_write) {
    for (const int protection : {PROT_READ, PROT_NONE}) {
        recv_into_protected(8 * kPage, 6 * kPage, protection);
        recv_into_protected(8 * kPage, 7 * kPage + 11, protection);
        recv_into_protected(8 * kPage, 10 * kPage, protection);
    }
}

// A wall in the second of three iovecs.
CASE(recv_scattered_into_unmapped_memory) {
    const LazyProof proof;
    const Arena memory(kRoom);
    const Link link;
    require_call(::munmap(memory.at(20 * kPage), kPage) == 0, "munmap");
    feed(link, 8 * kPage, 1);
    recv_into_wall({{memory.data(), 3 * kPage},
                    {memory.at(19 * kPage), 2 * kPage},
                    {memory.at(30 * kPage), 3 * kPage}},
                   4 * kPage, link.here, 1, 8 * kPage);
    require_bytes(memory.at(30 * kPage), 3 * kPage, 0, "the third iovec");
    proof.require_some();
}

// A socket of another kind that has TCP's number: what is asked of TCP sockets is not asked of it.
CASE(recv_raw_socket) {
    const Fd raw(::socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
    require_call(static_cast<bool>(raw), "socket, SOCK_RAW");
    const Link link;
    const Arena memory(kRoom);
    feed(link, 100, 1);
    // The packets of that, an IP header in front of each, and then none.
    ssize_t got = 0;
    int packets = 0;
    while ((got = ::recv(raw.get(), memory.data(), kRoom, MSG_DONTWAIT)) > 0) {
        require_equal(memory.data()[0] & 0xf0, 0x40, "version");
        require_equal(memory.data()[9], static_cast<char>(IPPROTO_TCP), "protocol");
        ++packets;
    }
    require_call(got < 0 && errno == EAGAIN, "recv, nothing left");
    require(packets > 0, "no packet");
}

CASE(recv_splice) {
    same_on_both(kRoom, [](const Arena& memory, Transcript& seen) {
        const Link link;
        int ends[2];
        require_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
        const Fd from(ends[0]);
        const Fd to(ends[1]);
        feed(link, kSize, 1);
        seen.call("read", ::recv(link.here.get(), memory.data(), 10'000, 0));
        const ssize_t count =
            ::splice(link.here.get(), nullptr, to.get(), nullptr, 10'000, SPLICE_F_NONBLOCK);
        require_call(count > 0, "splice");
        seen.call("from the pipe",
                  ::read(from.get(), memory.at(10'000), static_cast<std::size_t>(count)));
        receive_all(link.here, memory.at(10'000 + static_cast<std::size_t>(count)),
                    30'000 - static_cast<std::size_t>(count));
        seen.bytes("memory", memory.data(), kRoom);
    });
}

// Two threads that read one socket get each byte once.
CASE(recv_by_two_threads) {
    const LazyProof proof;
    constexpr std::size_t kParts = 64;
    const Link link;
    const Arena memory(2 * kParts * kPage * 2);
    for (int round = 0; round < rounds(5, 100); ++round) {
        std::thread feeder([&] {
            for (std::size_t part = 0; part < 2 * kParts; ++part)
                send_all(link.peer, pattern(2 * kPage, 1, part * 2 * kPage));
        });
        std::atomic<std::size_t> trouble{0};
        const auto reader = [&](std::size_t base) {
            for (std::size_t part = 0; part < kParts; ++part)
                if (::recv(link.here.get(), memory.at((base + part) * 2 * kPage), 2 * kPage,
                           MSG_WAITALL) <= 0)
                    ++trouble;
        };
        std::thread one(reader, 0);
        std::thread other(reader, kParts);
        feeder.join();
        one.join();
        other.join();
        require_equal(trouble.load(), 0U, "reads that failed");
        // Natively two such reads may take turns within a part: the bytes, not their order.
        std::uint64_t sum = 0;
        std::uint64_t expected = 0;
        const std::string all = pattern(2 * kParts * 2 * kPage, 1);
        for (std::size_t i = 0; i < all.size(); ++i) {
            sum += static_cast<unsigned char>(*memory.at(i));
            expected += static_cast<unsigned char>(all[i]);
        }
        require_equal(sum, expected, "the sum of all bytes");
    }
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
