// SPDX-License-Identifier: GPL-2.0-only
#include "channel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "frame.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kTcpRoom = 512 << 10;
// Each piece takes at least a page of a pipe, which has room for 64.
constexpr std::size_t kSmallRoom = 64 << 10;
constexpr int kPipeSize = 1 << 20;

std::size_t size_of(const std::vector<iovec>& pieces) {
    std::size_t size = 0;
    for (const iovec& piece : pieces)
        size += piece.iov_len;
    return size;
}

// What is left behind these bytes.
void advance(std::vector<iovec>& pieces, std::size_t bytes) {
    std::size_t whole = 0;
    while (whole < pieces.size() && bytes >= pieces[whole].iov_len)
        bytes -= pieces[whole++].iov_len;
    pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(whole));
    if (bytes != 0) {
        pieces[0].iov_base = static_cast<char*>(pieces[0].iov_base) + bytes;
        pieces[0].iov_len -= bytes;
    }
}

// Until all pieces are done; call() makes as much progress as it says.
template <typename Call>
void for_all(std::vector<iovec> pieces, const char* what, Call call) {
    while (!pieces.empty()) {
        const ssize_t count = call(pieces);
        require_call(count >= 0, what);
        require(count > 0, std::string(what) + ": the stream ended");
        advance(pieces, static_cast<std::size_t>(count));
    }
}

msghdr message(std::vector<iovec>& pieces) {
    msghdr it = {};
    it.msg_iov = pieces.data();
    it.msg_iovlen = pieces.size();
    return it;
}

}  // namespace

Channel::Channel(Kind kind) : kind_(kind) {
    int ends[2];
    switch (kind) {
        case Kind::kTcp4:
        case Kind::kTcp6: {
            Link link(kind == Kind::kTcp4 ? AF_INET : AF_INET6);
            in_ = std::move(link.peer);
            out_ = std::move(link.here);
            return;
        }
        case Kind::kUnix:
            require_call(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
                         "socketpair");
            break;
        case Kind::kPipe:
            require_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
            require_call(::fcntl(ends[1], F_SETPIPE_SZ, kPipeSize) >= 0, "F_SETPIPE_SZ");
            break;
        case Kind::kFile:
            in_ = Fd(::memfd_create("model", MFD_CLOEXEC));
            require_call(static_cast<bool>(in_), "memfd_create");
            return;
    }
    out_ = Fd(ends[0]);
    in_ = Fd(ends[1]);
}

const char* Channel::name() const {
    constexpr const char* kNames[] = {"tcp4", "tcp6", "unix", "pipe", "file"};
    return kNames[static_cast<int>(kind_)];
}

std::size_t Channel::room() const {
    const std::size_t most = is_tcp() ? kTcpRoom : kSmallRoom;
    // What was read of a file stays in it until all is.
    const std::size_t used = kind_ == Kind::kFile && taken_ > most ? most : inside();
    return used < most ? most - used : 0;
}

void Channel::put(std::vector<iovec> from, const std::string& bytes, Random& random) {
    if (kind_ == Kind::kFile) {
        auto at = static_cast<off_t>(bytes_.size());
        for_all(std::move(from), "pwritev", [&](std::vector<iovec>& left) {
            const ssize_t count =
                ::pwritev(in_.get(), left.data(), static_cast<int>(left.size()), at);
            at += count;
            return count;
        });
    } else if (kind_ == Kind::kPipe || random.one_in(4)) {
        const bool many = random.one_in(2);
        for_all(std::move(from), "write", [&](std::vector<iovec>& left) {
            return many ? ::writev(in_.get(), left.data(), static_cast<int>(left.size()))
                        : ::write(in_.get(), left[0].iov_base, left[0].iov_len);
        });
    } else {
        const int flags = MSG_NOSIGNAL | (random.one_in(4) ? MSG_MORE : 0);
        const bool many = random.one_in(2);
        for_all(std::move(from), "send", [&](std::vector<iovec>& left) {
            const msghdr it = message(left);
            return many ? ::sendmsg(in_.get(), &it, flags)
                        : ::send(in_.get(), left[0].iov_base, left[0].iov_len, flags);
        });
        if (flags & MSG_MORE && is_tcp())
            set_option(in_, IPPROTO_TCP, TCP_NODELAY, 1);  // and push what is left
    }
    bytes_ += bytes;
}

void Channel::put(const std::string& bytes, Random& random) {
    put({{const_cast<char*>(bytes.data()), bytes.size()}}, bytes, random);
}

void Channel::put_pages(iovec from, const std::string& bytes) {
    int ends[2];
    require_call(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
    const Fd out(ends[0]);
    const Fd in(ends[1]);
    require_equal(::vmsplice(in.get(), &from, 1, 0), static_cast<ssize_t>(from.iov_len),
                  "vmsplice");
    for (std::size_t done = 0; done < from.iov_len;) {
        const ssize_t count =
            ::splice(out.get(), nullptr, in_.get(), nullptr, from.iov_len - done, 0);
        require_call(count > 0, "splice");
        done += static_cast<std::size_t>(count);
    }
    bytes_ += bytes;
}

void Channel::put(iovec from, const std::string& bytes, Ring& ring, unsigned flags) {
    auto sqe = sqe_of(IORING_OP_SEND, in_.get(), from.iov_base, from.iov_len, flags);
    sqe.msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
    require_equal(ring.run(sqe), static_cast<int>(from.iov_len), "IORING_OP_SEND");
    bytes_ += bytes;
}

std::string Channel::get(iovec to, Ring& ring, unsigned flags) {
    arrived();
    auto sqe = sqe_of(IORING_OP_RECV, out_.get(), to.iov_base, to.iov_len, flags);
    sqe.msg_flags = MSG_WAITALL;
    require_equal(ring.run(sqe), static_cast<int>(to.iov_len), "IORING_OP_RECV");
    return front(to.iov_len);
}

// What a read gets shall not be a matter of time.
void Channel::arrived() {
    if (is_tcp())
        wait_queued(out_, inside());
}

std::string Channel::front(std::size_t size) {
    std::string bytes = bytes_.substr(taken_, size);
    taken_ += size;
    if (inside() == 0 || (kind_ != Kind::kFile && taken_ > kTcpRoom)) {
        bytes_.erase(0, taken_);
        taken_ = 0;
    }
    return bytes;
}

std::string Channel::get(std::vector<iovec> to, Random& random) {
    const std::size_t size = size_of(to);
    arrived();
    if (kind_ == Kind::kFile) {
        auto at = static_cast<off_t>(taken_);
        for_all(std::move(to), "preadv", [&](std::vector<iovec>& left) {
            const ssize_t count =
                ::preadv(in_.get(), left.data(), static_cast<int>(left.size()), at);
            at += count;
            return count;
        });
    } else if (kind_ == Kind::kPipe || random.one_in(4)) {
        const bool many = random.one_in(2);
        for_all(std::move(to), "read", [&](std::vector<iovec>& left) {
            return many ? ::readv(out_.get(), left.data(), static_cast<int>(left.size()))
                        : ::read(out_.get(), left[0].iov_base, left[0].iov_len);
        });
    } else {
        const int flags = random.one_in(2) ? MSG_WAITALL : 0;
        const std::size_t way = random.below(3);
        for_all(std::move(to), "recv", [&](std::vector<iovec>& left) {
            msghdr it = message(left);
            if (way == 0)
                return ::recvmsg(out_.get(), &it, flags);
            // In pieces that end anywhere.
            const std::size_t part =
                way == 1 ? left[0].iov_len : random.between(1, left[0].iov_len);
            return ::recv(out_.get(), left[0].iov_base, part, flags);
        });
    }
    return front(size);
}

void Channel::drain(std::size_t size, Random& random) {
    if (size == 0)
        return;
    std::string got(size, '\0');
    const std::string expected = get({{got.data(), size}}, random);
    require_same(got, expected, std::string("what came out of ") + name());
}

std::string Channel::peek(iovec to) {
    arrived();
    require_equal(::recv(out_.get(), to.iov_base, to.iov_len, MSG_PEEK),
                  static_cast<ssize_t>(to.iov_len), "MSG_PEEK");
    return bytes_.substr(taken_, to.iov_len);
}

void Channel::drop(std::size_t size) {
    arrived();
    require_equal(::recv(out_.get(), nullptr, size, MSG_TRUNC), static_cast<ssize_t>(size),
                  "MSG_TRUNC");
    front(size);
}

void Channel::require_refused(iovec to) {
    arrived();
    const ssize_t count = ::recv(out_.get(), to.iov_base, to.iov_len, 0);
    require(count < 0 && errno == EFAULT, "recv() into memory that cannot be written: " +
                                              std::to_string(count) + ", expected EFAULT");
}

}  // namespace libra::test
