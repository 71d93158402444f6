// SPDX-License-Identifier: GPL-2.0-only
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <iostream>

namespace libra::bench {
namespace {

constexpr int kBacklog = 4096;

void no_delay(const Fd& fd) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Fd tcp_socket(const Endpoint& endpoint) {
    Fd fd(::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                   IPPROTO_TCP));
    if (!fd)
        throw Error::from_errno("socket");
    return fd;
}

const sockaddr* generic(const sockaddr_storage& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Endpoint parse_endpoint(const std::string& text) {
    const Error bad("bad address '" + text + "': write IP:PORT or [IPv6]:PORT");
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        throw bad;
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end)
        throw bad;

    Endpoint endpoint;
    endpoint.text = text;
    std::string ip = text.substr(0, colon);
    if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') {
        sockaddr_in6 v6 = {};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        if (::inet_pton(AF_INET6, ip.substr(1, ip.size() - 2).c_str(), &v6.sin6_addr) != 1)
            throw bad;
        std::memcpy(&endpoint.address, &v6, sizeof(v6));
        endpoint.size = sizeof(v6);
    } else {
        sockaddr_in v4 = {};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        if (::inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) != 1)
            throw bad;
        std::memcpy(&endpoint.address, &v4, sizeof(v4));
        endpoint.size = sizeof(v4);
    }
    return endpoint;
}

Fd listen_on(const Endpoint& endpoint) {
    Fd fd = tcp_socket(endpoint);
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(fd.get(), generic(endpoint.address), endpoint.size) != 0 ||
        ::listen(fd.get(), kBacklog) != 0)
        throw Error::from_errno("cannot listen on " + endpoint.text);
    return fd;
}

Fd accept_from(const Fd& listener) {
    for (;;) {
        Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            no_delay(fd);
            return fd;
        }
        if (errno == EAGAIN)
            return fd;
        if (errno != EINTR && errno != ECONNABORTED)
            throw Error::from_errno("accept");
    }
}

Fd connect_to(const Endpoint& endpoint, int& error) {
    Fd fd = tcp_socket(endpoint);
    no_delay(fd);
    error = ::connect(fd.get(), generic(endpoint.address), endpoint.size) == 0 ? 0 : errno;
    return fd;
}

int pending_error(const Fd& fd) {
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void announce(const Fd& listener, const Endpoint& endpoint) {
    std::cout << "ready";
    if (endpoint.text.ends_with(":0")) {
        sockaddr_storage address = {};
        socklen_t size = sizeof(address);
        if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw Error::from_errno("getsockname");
        in_port_t port = 0;  // at the same place in either family
        std::memcpy(&port,
                    reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in, sin_port),
                    sizeof(port));
        std::cout << " " << ntohs(port);
    }
    std::cout << std::endl;
}

Fd stop_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
        throw Error::from_errno("sigprocmask");
    Fd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd)
        throw Error::from_errno("signalfd");
    return fd;
}

void raise_file_limit() {
    rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

}  // namespace libra::bench
