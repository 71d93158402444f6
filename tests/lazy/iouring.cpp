// SPDX-License-Identifier: GPL-2.0-only
// io_uring: inline, by its workers, and with registered buffers.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "ring.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 20 * kPage;

void receive_and_send(unsigned flags) {
    const LazyProof proof;
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    Ring ring;
    for (std::uint64_t stream = 1; stream <= 20; ++stream) {
        const std::size_t at = stream * 77;
        feed(in, kSize, stream);
        auto sqe = sqe_of(IORING_OP_RECV, in.here.get(), memory.at(at), kSize, flags);
        sqe.msg_flags = MSG_WAITALL;
        require_equal(ring.run(sqe), static_cast<int>(kSize), "receive");
        if (stream % 3 == 0)
            require_pattern(memory.at(at), kSize, stream, 0, "received");
        sqe = sqe_of(IORING_OP_SEND, out.here.get(), memory.at(at), kSize, flags);
        sqe.msg_flags = MSG_WAITALL;
        require_equal(ring.run(sqe), static_cast<int>(kSize), "send");
        require_arrival(out, kSize, stream, 0, "sent");
        require_pattern(memory.at(at), kSize, stream, 0, "afterwards");
    }
    proof.require_some();
}

CASE(iouring_inline) {
    receive_and_send(0);
}

CASE(iouring_by_workers) {
    receive_and_send(IOSQE_ASYNC);
}

// The request waits in the kernel, and is done from there.
CASE(iouring_waits) {
    const LazyProof proof;
    const Link in;
    const Arena memory(kRoom);
    Ring ring;
    for (std::uint64_t stream = 1; stream <= 10; ++stream) {
        auto sqe = sqe_of(IORING_OP_RECV, in.here.get(), memory.at(stream), kSize);
        sqe.msg_flags = MSG_WAITALL;
        ring.submit(sqe);
        send_all(in.peer, pattern(kSize, stream));
        require_equal(ring.wait(), static_cast<int>(kSize), "receive");
        require_pattern(memory.at(stream), kSize, stream, 0, "received");
    }
    proof.require_some();
}

CASE(iouring_readv_writev) {
    const LazyProof proof;
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    Ring ring;
    for (const unsigned flags : {0U, static_cast<unsigned>(IOSQE_ASYNC)}) {
        iovec pieces[] = {{memory.at(5), 9000}, {memory.at(20'000), kSize - 9000}};
        feed(in, kSize, 1);
        require_equal(ring.run(sqe_of(IORING_OP_READV, in.here.get(), pieces, 2, flags)),
                      static_cast<int>(kSize), "readv");
        require_equal(ring.run(sqe_of(IORING_OP_WRITEV, out.here.get(), pieces, 2, flags)),
                      static_cast<int>(kSize), "writev");
        require_arrival(out, kSize, 1, 0, "sent");
        require_pattern(memory.at(5), 9000, 1, 0, "the first iovec");
        require_pattern(memory.at(20'000), kSize - 9000, 1, 9000, "the second iovec");
    }
    proof.require_some();
}

CASE(iouring_zerocopy) {
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    Ring ring;
    receive_pattern(in, memory.at(9), kSize, 1);
    const int sent = ring.run(sqe_of(IORING_OP_SEND_ZC, out.here.get(), memory.at(9), kSize));
    if (sent == -EINVAL || sent == -EOPNOTSUPP)
        skip("no IORING_OP_SEND_ZC");
    require_equal(sent, static_cast<int>(kSize), "send");
    require_arrival(out, kSize, 1, 0, "sent");
    ring.wait();  // the notification
    receive_pattern(in, memory.at(9), kSize, 2);
    require_pattern(memory.at(9), kSize, 2, 0, "the next message");
}

// Registered buffers are pinned: the kernel reads and writes those very pages later.
CASE(iouring_registered_buffers) {
    const Link link;
    const Arena memory(kRoom);
    Ring ring;
    const Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    require_call(static_cast<bool>(file), "a temporary file");
    receive_pattern(link, memory.data(), kSize, 1);
    if (!ring.register_buffer(memory.data(), kRoom))
        skip(std::string("IORING_REGISTER_BUFFERS: ") + std::strerror(errno));
    require_pattern(memory.data(), kSize, 1, 0, "after they are registered");
    for (std::uint64_t stream = 2; stream < 10; ++stream) {
        for (const unsigned flags : {0U, static_cast<unsigned>(IOSQE_ASYNC)}) {
            receive_pattern(link, memory.at(100), kSize, stream);
            require_equal(
                ring.run(sqe_of(IORING_OP_WRITE_FIXED, file.get(), memory.at(100), kSize, flags)),
                static_cast<int>(kSize), "WRITE_FIXED");
            std::string got(kSize, '\0');
            require_equal(::pread(file.get(), got.data(), kSize, 0), static_cast<ssize_t>(kSize),
                          "pread");
            require_pattern(got.data(), kSize, stream, 0, "written to a file");
            receive_pattern(link, memory.data(), kSize, stream + 100);
            require_equal(
                ring.run(sqe_of(IORING_OP_READ_FIXED, file.get(), memory.at(5000), 9000, flags)),
                9000, "READ_FIXED");
            require_pattern(memory.data(), 5000, stream + 100, 0, "before what the file gave");
            require_pattern(memory.at(5000), 9000, stream, 0, "what the file gave");
            require_pattern(memory.at(14'000), kSize - 14'000, stream + 100, 14'000, "behind it");
        }
    }
}

// Pinned, and then a fork: the parent goes on with the same pages.
CASE(iouring_registered_buffers_and_fork) {
    const Link link;
    const Arena memory(kRoom);
    Ring ring;
    const Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    receive_pattern(link, memory.data(), kSize, 1);
    if (!ring.register_buffer(memory.data(), kRoom))
        skip(std::string("IORING_REGISTER_BUFFERS: ") + std::strerror(errno));
    Child child([&] {
        require_pattern(memory.data(), kSize, 1, 0, "the child's");
        std::memset(memory.data(), 'c', kSize);
        ::usleep(50'000);
    });
    receive_pattern(link, memory.data(), kSize, 2);
    std::memset(memory.at(3 * kPage), 'p', kPage);
    require_equal(ring.run(sqe_of(IORING_OP_WRITE_FIXED, file.get(), memory.data(), kSize)),
                  static_cast<int>(kSize), "WRITE_FIXED");
    std::string expected = pattern(kSize, 2);
    expected.replace(3 * kPage, kPage, kPage, 'p');
    std::string got(kSize, '\0');
    require_equal(::pread(file.get(), got.data(), kSize, 0), static_cast<ssize_t>(kSize), "pread");
    require_same(got, expected, "what the parent wrote to a file");
    child.wait("the child");
}

}  // namespace
}  // namespace libra::test
