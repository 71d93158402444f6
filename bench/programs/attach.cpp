// SPDX-License-Identifier: GPL-2.0-only
//
// Preloaded into a proxy, attaches its TCP connections with setsockopt(TCP_LIBRA): where
// the kernel has no BPF, nobody else can (user-mode Linux). The proxy itself is as
// Debian ships it. LIBRA_ATTACH_PARSER names the parser;
// with LIBRA_ATTACH_NO_SCRUB memory behind a token keeps what it held.
//
// An accepted connection is attached before the proxy knows of it; one that was opened
// when the proxy finds that it is there, or may: nginx asks for SO_ERROR, HAProxy sends, or
// tries to receive. In either case no byte was read or written before, nor was it tried: a
// connection that is used before it is attached passes (net.libra.strangers).
#include <dlfcn.h>
#include <linux/libra.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <bitset>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr std::uint32_t kDomain = 1;

// Read when it is loaded: nginx empties its environment.
const std::string kParser = [] {
    const char* parser = std::getenv("LIBRA_ATTACH_PARSER");
    return std::string(parser ? parser : "");
}();

const std::uint32_t kScrub = std::getenv("LIBRA_ATTACH_NO_SCRUB") ? LIBRA_F_NO_SCRUB : 0;

// Connections that were begun: nginx asks each for SO_ERROR before every request, and a
// system call that says "attached already" would be one too many.
constexpr int kMaxFiles = 65536;  // worker_rlimit_nofile
std::bitset<kMaxFiles> opening;

// The function of libc that ours stands in front of.
template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Leaves errno as it is. False: it is not connected (yet). A benchmark that silently
// attaches nothing would lie.
bool attach(int fd, std::uint32_t flags) {
    const int saved = errno;
    libra_attach how{};
    kParser.copy(how.parser, sizeof(how.parser) - 1);
    how.domain = kDomain;
    how.mode = LIBRA_MODE_TOKEN;
    how.flags = flags | kScrub | LIBRA_F_ANCHOR_REQUESTS;
    const int error = setsockopt(fd, IPPROTO_TCP, TCP_LIBRA, &how, sizeof(how)) != 0 ? errno : 0;
    // Attached already, or not TCP.
    if (error != 0 && error != ENOTCONN && error != EEXIST && error != EOPNOTSUPP) {
        std::perror("libra-attach: setsockopt(TCP_LIBRA)");
        std::abort();
    }
    errno = saved;
    return error != ENOTCONN;
}

// The proxy has found that a connection which it began is there.
void opened(int fd) {
    if (fd < 0 || fd >= kMaxFiles || !opening[fd])
        return;
    opening[fd] = !attach(fd, LIBRA_F_ACTIVE);
}

}  // namespace

extern "C" {

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
    static auto* const real = next<decltype(accept4)>("accept4");
    const int accepted = real(fd, address, size, flags);
    if (accepted >= 0)
        attach(accepted, 0);
    return accepted;
}

int accept(int fd, sockaddr* address, socklen_t* size) {
    return accept4(fd, address, size, 0);
}

int connect(int fd, const sockaddr* address, socklen_t size) {
    static auto* const real = next<decltype(connect)>("connect");
    const int status = real(fd, address, size);
    if (fd < 0 || fd >= kMaxFiles)
        return status;
    opening[fd] = status != 0 && errno == EINPROGRESS;
    if (status == 0)
        attach(fd, LIBRA_F_ACTIVE);
    return status;
}

ssize_t send(int fd, const void* data, std::size_t size, int flags) {
    static auto* const real = next<decltype(send)>("send");
    opened(fd);
    return real(fd, data, size, flags);
}

ssize_t recv(int fd, void* data, std::size_t size, int flags) {
    static auto* const real = next<decltype(recv)>("recv");
    opened(fd);
    return real(fd, data, size, flags);
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
    static auto* const real = next<decltype(getsockopt)>("getsockopt");
    const int status = real(fd, level, option, value, size);
    if (status == 0 && level == SOL_SOCKET && option == SO_ERROR)
        opened(fd);
    return status;
}
}
