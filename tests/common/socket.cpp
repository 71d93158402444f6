// SPDX-License-Identifier: GPL-2.0-only
#include "socket.h"

#include <arpa/inet.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>

#include "common/error.h"

namespace libra::test {
namespace {

constexpr int kWait = 10'000;  // milliseconds until a handshake has failed

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void set(const Fd& fd, int level, int name, int value) {
    if (::setsockopt(fd.get(), level, name, &value, sizeof(value)) != 0)
        throw Error::from_errno("setsockopt");
}

Fd tcp_socket() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        throw Error::from_errno("socket");
    return fd;
}

void wait_for(const Fd& fd, short events, const char* what) {
    pollfd poll = {.fd = fd.get(), .events = events, .revents = 0};
    if (::poll(&poll, 1, kWait) != 1)
        throw Error(std::string(what) + ": nothing happened");
}

}  // namespace

Fd listen_on(std::uint16_t port) {
    Fd fd = tcp_socket();
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    const sockaddr_in address = loopback(port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(fd.get(), 1024) != 0)
        throw Error::from_errno("listen on port " + std::to_string(port));
    return fd;
}

Fd connect_to(std::uint16_t port) {
    Fd fd = tcp_socket();
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    const sockaddr_in address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        if (errno != EINPROGRESS)
            throw Error::from_errno("connect to port " + std::to_string(port));
        wait_for(fd, POLLOUT, "connect");
        if (const int error = pending_error(fd))
            throw Error::from_errno("connect to port " + std::to_string(port), error);
    }
    return fd;
}

Fd accept_from(const Fd& listener) {
    wait_for(listener, POLLIN, "accept");
    Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd)
        throw Error::from_errno("accept");
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

void set_buffers(const Fd& fd, int send, int receive) {
    if (send > 0)
        set(fd, SOL_SOCKET, SO_SNDBUFFORCE, send);
    if (receive > 0)
        set(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive);
}

bool use_ktls(const Fd& fd, int direction) {
    static constexpr char kTls[] = "tls";
    tls12_crypto_info_aes_gcm_128 keys = {};
    keys.info = {.version = TLS_1_3_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128};
    std::fill(std::begin(keys.key), std::end(keys.key), 0x4b);
    // It may be there, for the other direction.
    if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_ULP, kTls, sizeof(kTls)) != 0 && errno != EEXIST) {
        if (errno == ENOTCONN)
            return false;
        throw Error::from_errno("kernel TLS");
    }
    if (::setsockopt(fd.get(), SOL_TLS, direction, &keys, sizeof(keys)) != 0)
        throw Error::from_errno("kernel TLS");
    return true;
}

void encrypt(const Fd& from, const Fd& to) {
    if (!use_ktls(from, TLS_TX) || !use_ktls(to, TLS_RX))
        throw Error("kernel TLS: not connected");
}

void reset_on_close(const Fd& fd) {
    const linger hard = {.l_onoff = 1, .l_linger = 0};
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) != 0)
        throw Error::from_errno("SO_LINGER");
}

int pending_error(const Fd& fd) {
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void say(const Fd& from, const Fd& to, const std::string& text) {
    if (::send(from.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size()))
        throw Error::from_errno("saying something");
    std::string heard(text.size(), '\0');
    std::size_t got = 0;
    while (got < heard.size()) {
        const ssize_t count = ::recv(to.get(), heard.data() + got, heard.size() - got, 0);
        if (count > 0)
            got += static_cast<std::size_t>(count);
        else if (count == 0 || errno != EAGAIN)
            throw Error::from_errno("reading what was said");
        else
            wait_for(to, POLLIN, "reading what was said");
    }
    if (heard != text)
        throw Error("what was said is not what was heard");
}

}  // namespace libra::test
