// SPDX-License-Identifier: GPL-2.0-only
// A program that maps payload memory itself, with no library preloaded: relays one
// TCP connection, and never looks at a byte of it.
//
//	libra-malloc-relay LISTEN-PORT PORT	both on 127.0.0.1
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/libra_memory.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace {

// One buffer for each direction. A multiple of the page size at the start of a page:
// only pages that a read covers whole are left out of the copy.
constexpr std::size_t kBuffer = 1 << 20;

[[noreturn]] void fail(const char* what) {
    perror(what);
    exit(1);
}

// Ordinary memory does as well, and costs the copies.
char* map_buffers(std::size_t size) {
    const int device = open(LIBRA_DEVICE, O_RDWR | O_CLOEXEC);
    if (device >= 0) {
        libra_arena arena = {.size = size, .flags = 0, .reserved = 0};
        const int fd = ioctl(device, LIBRA_IOC_ARENA, &arena);
        close(device);
        if (fd >= 0) {
            void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            close(fd);
            if (memory != MAP_FAILED)
                return static_cast<char*>(memory);
        }
    }
    perror(LIBRA_DEVICE ", going on without");
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    return static_cast<char*>(memory);
}

sockaddr_in loopback(const char* port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(strtoul(port, nullptr, 10)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int tcp_socket() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    return fd;
}

int accept_one(const char* port) {
    const int listener = tcp_socket();
    const int on = 1;
    const sockaddr_in address = loopback(port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(listener, 1) != 0)
        fail("bind");
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0)
        fail("accept");
    close(listener);
    return fd;
}

int connect_to(const char* port) {
    const int fd = tcp_socket();
    const sockaddr_in address = loopback(port);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        fail("connect");
    return fd;
}

// False once `from` has ended; the end is passed on.
bool forward(int from, int to, char* buffer) {
    const ssize_t got = recv(from, buffer, kBuffer, 0);
    if (got < 0)
        fail("recv");
    for (ssize_t sent = 0; sent < got;) {
        const ssize_t part = send(to, buffer + sent, got - sent, MSG_NOSIGNAL);
        if (part < 0)
            fail("send");
        sent += part;
    }
    if (got == 0)
        shutdown(to, SHUT_WR);
    return got > 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s LISTEN-PORT PORT\n", argv[0]);
        return 2;
    }
    char* const buffers = map_buffers(2 * kBuffer);
    const int client = accept_one(argv[1]);
    const int server = connect_to(argv[2]);
    pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR)
            fail("poll");
        if (ends[0].fd >= 0 && ends[0].revents && !forward(client, server, buffers))
            ends[0].fd = -1;
        if (ends[1].fd >= 0 && ends[1].revents && !forward(server, client, buffers + kBuffer))
            ends[1].fd = -1;
    }
}
