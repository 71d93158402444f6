// SPDX-License-Identifier: GPL-2.0-only
// Flows that the kernel moves: a BPF program hands what one socket receives to
// the other. The relay only passes on the end of a stream.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "flow.h"
#include "sockmap.skel.h"

namespace libra::bench {
namespace {

constexpr std::size_t kLateBuffer = 65536;

class Program {
  public:
    Program() {
        libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
            return level == LIBBPF_WARN ? std::vfprintf(stderr, format, arguments) : 0;
        });
        skeleton_.reset(sockmap_bpf__open_and_load());
        if (!skeleton_)
            throw Error::from_errno("cannot load the sockmap program (it needs root)");
        map_ = bpf_map__fd(skeleton_->maps.peers);
        if (const int failure = ::bpf_prog_attach(bpf_program__fd(skeleton_->progs.to_peer), map_,
                                                  BPF_SK_SKB_STREAM_VERDICT, 0))
            throw Error::from_errno("cannot attach the sockmap program", -failure);
    }

    bool put(std::uint64_t cookie, const Fd& peer) const {
        const std::uint64_t fd = static_cast<std::uint64_t>(peer.get());
        return ::bpf_map_update_elem(map_, &cookie, &fd, BPF_NOEXIST) == 0;
    }

  private:
    struct Destroy {
        void operator()(sockmap_bpf* skeleton) const { sockmap_bpf__destroy(skeleton); }
    };
    std::unique_ptr<sockmap_bpf, Destroy> skeleton_;
    int map_ = -1;
};

tcp_info info(const Fd& fd) {
    tcp_info now = {};
    socklen_t size = sizeof(now);
    if (::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &now, &size) != 0)
        throw Error::from_errno("TCP_INFO");
    return now;
}

// Bytes that were ever put into the socket to be sent, but for a constant.
std::uint64_t written(const Fd& fd, const tcp_info& now) {
    int queued = 0;
    if (::ioctl(fd.get(), SIOCOUTQ, &queued) != 0)
        throw Error::from_errno("SIOCOUTQ");
    return now.tcpi_bytes_acked + static_cast<std::uint64_t>(queued);
}

std::uint64_t cookie_of(const Fd& fd) {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0)
        throw Error::from_errno("SO_COOKIE");
    return cookie;
}

// What came before the socket was in the map waits until somebody says that it
// is there. Setting SO_RCVLOWAT does, and no byte is overtaken.
void kick(const Fd& fd) {
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
}

class SockmapFlow : public Flow {
  public:
    SockmapFlow(const Fd& client, const Fd& upstream, const Program& program)
        : sides_{{{client}, {upstream}}} {
        for (Side& side : sides_)
            side.base = written(side.fd, info(side.fd));
        broken_ =
            !program.put(cookie_of(client), upstream) || !program.put(cookie_of(upstream), client);
        if (broken_)
            std::cerr << "libra-bench-relay: lost a connection that the sockmap does not take: "
                      << std::strerror(errno) << "\n";
        for (const Side& side : sides_)
            kick(side.fd);
    }

    // No EPOLLIN: it would wake the relay for each segment.
    std::uint32_t events() const override { return EPOLLRDHUP | EPOLLET; }

    void event(unsigned, std::uint32_t events) override {
        broken_ = broken_ || (events & EPOLLERR) != 0;
    }

    Progress move() override {
        Progress result = Progress::kWait;
        for (unsigned i = 0; i < 2; ++i)
            if (!sides_[i].ended && !end(sides_[i], sides_[1 - i]))
                result = Progress::kSoon;
        const bool over = sides_[0].ended && sides_[1].ended;
        return broken_ || over ? Progress::kDone : result;
    }

  private:
    struct Side {
        const Fd& fd;
        std::uint64_t base = 0;  // written() before anything was
        bool ended = false;      // its stream, and the other side was told
    };

    // Passes the end of a stream on once all before it was. False: not yet.
    static bool end(Side& from, const Side& to) {
        const tcp_info source = info(from.fd);
        switch (source.tcpi_state) {
            case BPF_TCP_CLOSE_WAIT:
            case BPF_TCP_LAST_ACK:
            case BPF_TCP_CLOSING:
            case BPF_TCP_TIME_WAIT:
            case BPF_TCP_CLOSE:
                break;  // the FIN is there
            default:
                return true;
        }
        // The FIN counts as a byte received.
        const std::uint64_t received = source.tcpi_bytes_received;
        if (written(to.fd, info(to.fd)) - to.base + 1 < received)
            return false;
        ::shutdown(to.fd.get(), SHUT_WR);
        from.ended = true;
        return true;
    }

    std::array<Side, 2> sides_;
    bool broken_ = false;
};

}  // namespace

MakeFlow sockmap_flows() {
    return [program = std::make_shared<Program>(), copy = copy_flows(kLateBuffer)](
               const Fd& client, const Fd& upstream) -> std::unique_ptr<Flow> {
        // A sockmap takes nobody who has already closed his half.
        for (const Fd* fd : {&client, &upstream})
            if (info(*fd).tcpi_state != BPF_TCP_ESTABLISHED)
                return copy(client, upstream);
        return std::make_unique<SockmapFlow>(client, upstream, *program);
    };
}

}  // namespace libra::bench
