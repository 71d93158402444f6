// SPDX-License-Identifier: GPL-2.0-only
#include "link.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>

#include "frame.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr int kPatience = 30;  // seconds until bytes that do not come are an error

void be_impatient(const Fd& fd) {
    const timeval limit = {.tv_sec = kPatience, .tv_usec = 0};
    for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO})
        require_call(::setsockopt(fd.get(), SOL_SOCKET, name, &limit, sizeof(limit)) == 0,
                     "a time limit");
}

Fd tcp_socket(int family, int buffer) {
    Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require_call(static_cast<bool>(fd), "socket");
    if (buffer != 0) {
        for (const auto& [force, name] :
             {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}})
            if (::setsockopt(fd.get(), SOL_SOCKET, force, &buffer, sizeof(buffer)) != 0)
                set_option(fd, SOL_SOCKET, name, buffer);
    }
    return fd;
}

}  // namespace

void set_option(const Fd& fd, int level, int name, int value) {
    require_call(::setsockopt(fd.get(), level, name, &value, sizeof(value)) == 0, "setsockopt");
}

Link::Link(int family, int buffer) {
    sockaddr_storage address = {};
    socklen_t size = sizeof(sockaddr_in);
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
        reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
        size = sizeof(sockaddr_in6);
    }
    auto* where = reinterpret_cast<sockaddr*>(&address);
    const Fd listener = tcp_socket(family, buffer);
    require_call(::bind(listener.get(), where, size) == 0 && ::listen(listener.get(), 1) == 0 &&
                     ::getsockname(listener.get(), where, &size) == 0,
                 "listen");
    peer = tcp_socket(family, buffer);
    require_call(::connect(peer.get(), where, size) == 0, "connect");
    here = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    require_call(static_cast<bool>(here), "accept");
    for (const Fd* fd : {&here, &peer}) {
        set_option(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
        be_impatient(*fd);
    }
}

void send_all(const Fd& fd, const char* data, std::size_t size, int flags) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = ::send(fd.get(), data + done, size - done, flags | MSG_NOSIGNAL);
        require_call(count > 0, "send");
        done += static_cast<std::size_t>(count);
    }
}

void receive_all(const Fd& fd, char* to, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = ::recv(fd.get(), to + done, size - done, 0);
        require_call(count >= 0, "recv");
        require(count > 0, "the stream ended after " + std::to_string(done) + " of " +
                               std::to_string(size) + " bytes");
        done += static_cast<std::size_t>(count);
    }
}

std::string take(const Fd& fd, std::size_t size) {
    std::string bytes(size, '\0');
    receive_all(fd, bytes.data(), size);
    return bytes;
}

std::size_t queued(const Fd& fd) {
    int count = 0;
    require_call(::ioctl(fd.get(), FIONREAD, &count) == 0, "FIONREAD");
    return static_cast<std::size_t>(count);
}

void wait_queued(const Fd& fd, std::size_t size) {
    for (int turn = 0; queued(fd) < size; ++turn) {
        require(turn < kPatience * 10'000, std::to_string(size) + " bytes do not come");
        ::usleep(100);
    }
}

void feed(const Link& link, std::size_t size, std::uint64_t stream, std::uint64_t position) {
    const std::size_t before = queued(link.here);
    send_all(link.peer, pattern(size, stream, position));
    wait_queued(link.here, before + size);
}

void receive_pattern(const Link& link, char* to, std::size_t size, std::uint64_t stream,
                     std::uint64_t position) {
    feed(link, size, stream, position);
    receive_all(link.here, to, size);
}

void require_arrival(const Link& link, std::size_t size, std::uint64_t stream,
                     std::uint64_t position, const std::string& what) {
    const std::string bytes = take(link.peer, size);
    require_pattern(bytes.data(), size, stream, position, what);
}

void bring_up_loopback() {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = {};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    require_call(::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
}

}  // namespace libra::test
