// SPDX-License-Identifier: GPL-2.0-only
#include "tcp_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "netns.h"

namespace libra::service {
namespace {

// Of enum's in the kernel's own headers.
constexpr unsigned kListen = 10;
constexpr unsigned kWithoutInfo = 1U << 3 | 1U << 6 | 1U << 12;  // SYN_RECV twice, TIME_WAIT
constexpr unsigned kMappedBits = 96;

constexpr std::size_t kDatagram = 64U << 10;
constexpr int kBacklog = 4 << 20;  // what ends between two looks, in bytes of memory
constexpr time_t kPatience = 5;

std::size_t aligned(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

// The front of the data as a T; false if there is less.
template <typename T>
bool take(std::span<const std::byte> data, T& out) {
    if (data.size() < sizeof(T))
        return false;
    std::memcpy(&out, data.data(), sizeof(T));
    return true;
}

// As far as it goes: other kernels have a shorter, or a longer one.
std::uint64_t sent_by(std::span<const std::byte> info) {
    struct tcp_info all {};
    std::memcpy(&all, info.data(), std::min(info.size(), sizeof(all)));
    return all.tcpi_bytes_sent -
           std::min<std::uint64_t>(all.tcpi_bytes_retrans, all.tcpi_bytes_sent) +
           all.tcpi_notsent_bytes;
}

Endpoint local_of(const struct inet_diag_msg& message) {
    Endpoint local;
    local.port = ntohs(message.id.idiag_sport);
    const bool v4 = message.idiag_family == AF_INET;
    if (v4)
        local.address[10] = local.address[11] = 0xff;
    const std::size_t at = v4 ? 12 : 0;
    std::memcpy(local.address.data() + at, message.id.idiag_src, local.address.size() - at);
    const bool any = std::all_of(local.address.begin() + static_cast<std::ptrdiff_t>(at),
                                 local.address.end(), [](auto byte) { return !byte; });
    local.prefix = !any ? 128 : v4 ? kMappedBits : 0;
    return local;
}

std::optional<DiagSocket> read_socket(std::span<const std::byte> data) {
    struct inet_diag_msg message {};
    if (!take(data, message))
        return std::nullopt;
    DiagSocket socket;
    socket.cookie = message.id.idiag_cookie[0] | std::uint64_t{message.id.idiag_cookie[1]} << 32;
    socket.inode = message.idiag_inode;
    socket.local = local_of(message);
    socket.listens = message.idiag_state == kListen;
    data = data.subspan(sizeof(message));
    for (struct rtattr attribute{}; take(data, attribute);) {
        const std::size_t length = attribute.rta_len;
        if (length < sizeof(attribute) || length > data.size())
            break;
        if (attribute.rta_type == INET_DIAG_INFO && !socket.listens)
            socket.sent = sent_by(data.subspan(sizeof(attribute), length - sizeof(attribute)));
        data = data.subspan(std::min(aligned(length), data.size()));
    }
    return socket;
}

Result<UniqueFd> open_socket(unsigned groups, int flags) {
    UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_SOCK_DIAG));
    struct sockaddr_nl address {};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    const struct timeval patience { kPatience, 0 };
    if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
        bind(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof(address)))
        return Error::from_errno("cannot ask the kernel for sockets");
    return fd;
}

Status request(const UniqueFd& fd, unsigned char family) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 wanted;
    } message{};
    message.header.nlmsg_len = sizeof(message);
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.wanted.sdiag_family = family;
    message.wanted.sdiag_protocol = IPPROTO_TCP;
    message.wanted.idiag_ext = 1U << (INET_DIAG_INFO - 1);
    message.wanted.idiag_states = ~kWithoutInfo;
    if (send(fd.get(), &message, sizeof(message), 0) != static_cast<ssize_t>(sizeof(message)))
        return Error::from_errno("cannot ask the kernel for sockets");
    return Ok{};
}

constexpr unsigned group(unsigned number) {
    return 1U << (number - 1);
}

}  // namespace

void read_messages(std::span<const std::byte> datagram, DiagMessages& out) {
    for (struct nlmsghdr header{}; take(datagram, header);) {
        const std::size_t length = header.nlmsg_len;
        if (length < sizeof(header) || length > datagram.size())
            return;
        const auto body = datagram.subspan(sizeof(header), length - sizeof(header));
        struct nlmsgerr error {};
        if (header.nlmsg_type == NLMSG_DONE) {
            out.done = true;
        } else if (header.nlmsg_type == NLMSG_ERROR) {
            out.error = take(body, error) ? -error.error : EPROTO;
        } else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
            if (const auto socket = read_socket(body))
                out.sockets.push_back(*socket);
        }
        datagram = datagram.subspan(std::min(aligned(length), datagram.size()));
    }
}

Result<std::unique_ptr<TcpDiag>> TcpDiag::open(const std::filesystem::path& process) {
    const auto netns = Netns::open((process / "ns/net").string());
    if (!netns)
        return netns.error();
    // A socket stays in the namespace in which it was made.
    std::unique_ptr<TcpDiag> made;
    auto status = netns->run([&made]() -> Status {
        auto hears = open_socket(group(SKNLGRP_INET_TCP_DESTROY) | group(SKNLGRP_INET6_TCP_DESTROY),
                                 SOCK_NONBLOCK);
        if (!hears)
            return hears.error();
        // Without the right to more it has the usual.
        setsockopt(hears->get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBacklog, sizeof(kBacklog));
        auto asks = open_socket(0, 0);
        if (!asks)
            return asks.error();
        made = std::make_unique<TcpDiag>(std::move(*asks), std::move(*hears));
        return Ok{};
    });
    if (!status)
        return status.error();
    return made;
}

Result<std::vector<DiagSocket>> TcpDiag::sockets() const {
    std::vector<std::byte> datagram(kDatagram);
    DiagMessages messages;
    for (const unsigned char family : {AF_INET, AF_INET6}) {
        if (auto status = request(asks_, family); !status)
            return status.error();
        for (messages.done = false; !messages.done;) {
            const ssize_t size = recv(asks_.get(), datagram.data(), datagram.size(), 0);
            if (size < 0)
                return Error::from_errno("cannot hear what sockets there are");
            read_messages(std::span(datagram).first(static_cast<std::size_t>(size)), messages);
            if (messages.error)
                return Error::from_errno("the kernel does not tell what sockets there are",
                                         messages.error);
        }
    }
    return std::move(messages.sockets);
}

std::optional<std::vector<DiagSocket>> TcpDiag::ended() const {
    std::vector<std::byte> datagram(kDatagram);
    DiagMessages messages;
    for (;;) {
        const ssize_t size = recv(hears_.get(), datagram.data(), datagram.size(), 0);
        if (size < 0)
            return errno == EAGAIN ? std::optional(std::move(messages.sockets)) : std::nullopt;
        read_messages(std::span(datagram).first(static_cast<std::size_t>(size)), messages);
    }
}

}  // namespace libra::service
