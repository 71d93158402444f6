// SPDX-License-Identifier: GPL-2.0-only
// io_uring: inline, by its workers, and with registered buffers.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 20 * kPage;

class Ring {
  public:
    Ring() {
        io_uring_params params = {};
        fd_ = Fd(static_cast<int>(::syscall(__NR_io_uring_setup, 16, &params)));
        if (!fd_)
            skip(std::string("io_uring: ") + std::strerror(errno));
        if (!(params.features & IORING_FEAT_SINGLE_MMAP))
            skip("an old io_uring");
        char* rings = static_cast<char*>(
            map(params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe), IORING_OFF_SQ_RING));
        sqes_ = static_cast<io_uring_sqe*>(
            map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
        const auto word = [rings](unsigned at) { return reinterpret_cast<unsigned*>(rings + at); };
        sq_tail_ = word(params.sq_off.tail);
        sq_mask_ = word(params.sq_off.ring_mask);
        sq_array_ = word(params.sq_off.array);
        cq_head_ = word(params.cq_off.head);
        cq_tail_ = word(params.cq_off.tail);
        cq_mask_ = word(params.cq_off.ring_mask);
        cqes_ = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
    }

    void submit(const io_uring_sqe& sqe) {
        const unsigned tail = *sq_tail_;
        const unsigned at = tail & *sq_mask_;
        sqes_[at] = sqe;
        sq_array_[at] = at;
        __atomic_store_n(sq_tail_, tail + 1, __ATOMIC_RELEASE);
        require_call(::syscall(__NR_io_uring_enter, fd_.get(), 1, 0, 0, nullptr, 0) == 1,
                     "io_uring_enter");
    }

    // The next completion's result.
    int wait() {
        pollfd poll = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
        for (int turn = 0; *cq_head_ == __atomic_load_n(cq_tail_, __ATOMIC_ACQUIRE); ++turn) {
            require(turn < 300, "io_uring: no completion");
            ::poll(&poll, 1, 100);
        }
        const int result = cqes_[*cq_head_ & *cq_mask_].res;
        __atomic_store_n(cq_head_, *cq_head_ + 1, __ATOMIC_RELEASE);
        return result;
    }

    int run(const io_uring_sqe& sqe) {
        submit(sqe);
        return wait();
    }

    bool register_buffer(char* memory, std::size_t size) {
        const iovec piece = {memory, size};
        return ::syscall(__NR_io_uring_register, fd_.get(), IORING_REGISTER_BUFFERS, &piece, 1) ==
               0;
    }

  private:
    void* map(std::size_t size, off_t offset) const {
        void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), offset);
        require_call(memory != MAP_FAILED, "mmap of a ring");
        return memory;
    }

    Fd fd_;
    io_uring_sqe* sqes_;
    io_uring_cqe* cqes_;
    unsigned *sq_tail_, *sq_mask_, *sq_array_, *cq_head_, *cq_tail_, *cq_mask_;
};

io_uring_sqe sqe_of(int operation, int fd, const void* memory, std::size_t size,
                    unsigned flags = 0) {
    io_uring_sqe sqe = {};
    sqe.opcode = static_cast<std::uint8_t>(operation);
    sqe.flags = static_cast<std::uint8_t>(flags);
    sqe.fd = fd;
    sqe.addr = reinterpret_cast<std::uint64_t>(memory);
    sqe.len = static_cast<std::uint32_t>(size);
    return sqe;
}

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
