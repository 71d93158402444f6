// SPDX-License-Identifier: GPL-2.0-only
// An io_uring, for one request at a time or few.
#pragma once

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/fd.h"
#include "frame.h"

namespace libra::test {

class Ring {
  public:
    Ring() {
        io_uring_params params = {};
        fd_ = Fd(static_cast<int>(::syscall(__NR_io_uring_setup, 16, &params)));
        if (!fd_)
            skip(std::string("io_uring: ") + std::strerror(errno));
        if (!(params.features & IORING_FEAT_SINGLE_MMAP))
            skip("an old io_uring");
        rings_size_ = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
        sqes_size_ = params.sq_entries * sizeof(io_uring_sqe);
        rings_ = static_cast<char*>(map(rings_size_, IORING_OFF_SQ_RING));
        sqes_ = static_cast<io_uring_sqe*>(map(sqes_size_, IORING_OFF_SQES));
        const auto word = [this](unsigned at) { return reinterpret_cast<unsigned*>(rings_ + at); };
        sq_tail_ = word(params.sq_off.tail);
        sq_mask_ = word(params.sq_off.ring_mask);
        sq_array_ = word(params.sq_off.array);
        cq_head_ = word(params.cq_off.head);
        cq_tail_ = word(params.cq_off.tail);
        cq_mask_ = word(params.cq_off.ring_mask);
        cqes_ = reinterpret_cast<io_uring_cqe*>(rings_ + params.cq_off.cqes);
    }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() {
        ::munmap(sqes_, sqes_size_);
        ::munmap(rings_, rings_size_);
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
    std::size_t rings_size_, sqes_size_;
    char* rings_;
    io_uring_sqe* sqes_;
    io_uring_cqe* cqes_;
    unsigned *sq_tail_, *sq_mask_, *sq_array_, *cq_head_, *cq_tail_, *cq_mask_;
};

inline io_uring_sqe sqe_of(int operation, int fd, const void* memory, std::size_t size,
                           unsigned flags = 0) {
    io_uring_sqe sqe = {};
    sqe.opcode = static_cast<std::uint8_t>(operation);
    sqe.flags = static_cast<std::uint8_t>(flags);
    sqe.fd = fd;
    sqe.addr = reinterpret_cast<std::uint64_t>(memory);
    sqe.len = static_cast<std::uint32_t>(size);
    return sqe;
}

}  // namespace libra::test
