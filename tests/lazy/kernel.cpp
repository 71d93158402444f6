// SPDX-License-Identifier: GPL-2.0-only
// Received into payload memory, which the kernel then reads or writes for somebody.
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

#include "arena.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "twin.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 20 * kPage;

Fd temporary_file() {
    Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    require_call(static_cast<bool>(file), "a temporary file");
    return file;
}

struct Pipe {
    Pipe() {
        int ends[2];
        require_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
        from = Fd(ends[0]);
        to = Fd(ends[1]);
        require_call(::fcntl(to.get(), F_SETPIPE_SZ, 1 << 20) >= 0, "F_SETPIPE_SZ");
    }
    Fd from;
    Fd to;
};

std::string read_all(const Fd& fd, std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = ::read(fd.get(), bytes.data() + done, size - done);
        require_call(count > 0, "read");
        done += static_cast<std::size_t>(count);
    }
    return bytes;
}

// A block device in memory, for O_DIRECT without a page cache in between.
class LoopDevice {
  public:
    explicit LoopDevice(std::size_t size) : file_(temporary_file()) {
        require_call(::ftruncate(file_.get(), static_cast<off_t>(size)) == 0, "ftruncate");
        const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
        if (!control)
            skip("no loop devices");
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0)
            skip("no free loop device");
        const std::string path = "/dev/loop" + std::to_string(number);
        device_ = Fd(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
        if (!device_ || ::ioctl(device_.get(), LOOP_SET_FD, file_.get()) != 0)
            skip("no loop device");
    }
    ~LoopDevice() { ::ioctl(device_.get(), LOOP_CLR_FD); }

    int fd() const { return device_.get(); }

  private:
    Fd file_;
    Fd device_;
};

CASE(kernel_pipe) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const Pipe pipe;
    for (std::uint64_t stream = 1; stream <= 4; ++stream) {
        receive_pattern(link, memory.at(stream), kSize, stream);
        require_equal(::write(pipe.to.get(), memory.at(stream), kSize), static_cast<ssize_t>(kSize),
                      "write");
        require_same(read_all(pipe.from, kSize), pattern(kSize, stream), "through a pipe");
    }
    proof.require_some();
}

CASE(kernel_file) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const Fd file = temporary_file();
    receive_pattern(link, memory.at(77), kSize, 1);
    require_equal(::pwrite(file.get(), memory.at(77), kSize, 5), static_cast<ssize_t>(kSize),
                  "pwrite");
    // Into pages that are lazy, over a part of them.
    receive_pattern(link, memory.data(), kSize, 2);
    require_equal(::pread(file.get(), memory.at(5000), 30'000, 5), 30'000, "pread");
    require_pattern(memory.data(), 5000, 2, 0, "before what the file gave");
    require_pattern(memory.at(5000), 30'000, 1, 0, "what the file gave");
    require_pattern(memory.at(35'000), kSize - 35'000, 2, 35'000, "behind what the file gave");
    proof.require_some();
}

CASE(kernel_direct_io) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const LoopDevice disk(1 << 20);
    for (std::uint64_t stream = 1; stream <= 4; ++stream) {
        receive_pattern(link, memory.data(), kSize, stream);
        require_equal(::pwrite(disk.fd(), memory.data(), kSize, 0), static_cast<ssize_t>(kSize),
                      "O_DIRECT pwrite");
        require_pattern(memory.data(), kSize, stream, 0, "after the write");
        receive_pattern(link, memory.data(), kSize, stream + 100);
        require_equal(::pread(disk.fd(), memory.at(3 * kPage), 10 * kPage, kPage),
                      static_cast<ssize_t>(10 * kPage), "O_DIRECT pread");
        require_pattern(memory.data(), 3 * kPage, stream + 100, 0, "before what the disk gave");
        require_pattern(memory.at(3 * kPage), 10 * kPage, stream, kPage, "what the disk gave");
        require_pattern(memory.at(13 * kPage), kSize - 13 * kPage, stream + 100, 13 * kPage,
                        "behind what the disk gave");
    }
    proof.require_some();
}

// A part of a page, in sectors.
CASE(kernel_direct_io_in_sectors) {
    const Link link;
    const Arena memory(kRoom);
    const LoopDevice disk(1 << 20);
    receive_pattern(link, memory.data(), kSize, 1);
    if (::pwrite(disk.fd(), memory.at(512), 7 * 512, 0) != 7 * 512)
        skip("sectors are as large as pages");
    require_equal(::pread(disk.fd(), memory.at(5 * kPage + 1024), 3 * 512, 512), 3 * 512, "pread");
    require_pattern(memory.at(5 * kPage), 1024, 1, 5 * kPage, "before it");
    require_pattern(memory.at(5 * kPage + 1024), 3 * 512, 1, 1024, "what the disk gave");
    require_pattern(memory.at(5 * kPage + 2560), kPage, 1, 5 * kPage + 2560, "behind it");
}

CASE(kernel_other_sockets) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        int ends[2];
        require_call(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
        const Fd from(ends[0]);
        const Fd to(ends[1]);
        receive_pattern(link, memory.at(9), 40'000, static_cast<std::uint64_t>(type));
        require_equal(::send(from.get(), memory.at(9), 40'000, 0), 40'000, "send");
        require_same(take(to, 40'000), pattern(40'000, static_cast<std::uint64_t>(type)),
                     "through AF_UNIX");
        // And into lazy memory.
        require_equal(::send(from.get(), pattern(9000, 50).data(), 9000, 0), 9000, "send");
        receive_pattern(link, memory.data(), kSize, 51);
        require_equal(::recv(to.get(), memory.at(2000), 9000, 0), 9000, "recv");
        require_pattern(memory.data(), 2000, 51, 0, "before it");
        require_pattern(memory.at(2000), 9000, 50, 0, "from AF_UNIX");
        require_pattern(memory.at(11'000), kSize - 11'000, 51, 11'000, "behind it");
    }
    proof.require_some();
}

CASE(kernel_random) {
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_equal(::getrandom(memory.at(kPage + 100), 50, 0), 50, "getrandom");
    require_pattern(memory.data(), kPage + 100, 1, 0, "before it");
    require_pattern(memory.at(kPage + 150), kSize - kPage - 150, 1, kPage + 150, "behind it");
}

// A name in lazy memory is a string as any other.
CASE(kernel_path) {
    const Link link;
    const Arena memory(kRoom);
    const std::string path("/proc/self/exe\0", 15);
    std::string message = pattern(3 * kPage, 1);
    message.replace(2 * kPage - 7, path.size(), path);
    send_all(link.peer, message);
    wait_queued(link.here, message.size());
    receive_all(link.here, memory.data(), message.size());
    require_call(::access(memory.at(2 * kPage - 7), R_OK) == 0, "access");
    require_same(std::string(memory.data(), message.size()), message, "all of it");
}

CASE(kernel_process_vm) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const pid_t parent = ::getpid();
    receive_pattern(link, memory.at(33), kSize, 1);
    Child reader([&] {
        std::string got(kSize, '\0');
        iovec local = {got.data(), kSize};
        iovec remote = {memory.at(33), kSize};
        require_equal(::process_vm_readv(parent, &local, 1, &remote, 1, 0),
                      static_cast<ssize_t>(kSize), "process_vm_readv");
        require_same(got, pattern(kSize, 1), "read from the parent");
    });
    reader.wait("a child that reads");
    receive_pattern(link, memory.at(33), kSize, 2);
    Child writer([&] {
        std::string given = pattern(5000, 3);
        iovec local = {given.data(), given.size()};
        iovec remote = {memory.at(6000), given.size()};
        require_equal(::process_vm_writev(parent, &local, 1, &remote, 1, 0), 5000,
                      "process_vm_writev");
    });
    writer.wait("a child that writes");
    require_pattern(memory.at(33), 6000 - 33, 2, 0, "before what was written");
    require_pattern(memory.at(6000), 5000, 3, 0, "what was written");
    require_pattern(memory.at(11'000), 33 + kSize - 11'000, 2, 11'000 - 33, "behind it");
    proof.require_some();
}

// The other way round: the child has it.
CASE(kernel_process_vm_of_a_child) {
    const Pipe ready;
    const Arena memory(kRoom);
    Child child([&] {
        const LazyProof proof;
        const Link link;
        receive_pattern(link, memory.data(), kSize, 1);
        proof.require_some();
        require_equal(::write(ready.to.get(), "r", 1), 1, "write");
        for (;;)
            ::pause();
    });
    read_all(ready.from, 1);
    std::string got(kSize, '\0');
    iovec local = {got.data(), kSize};
    iovec remote = {memory.data(), kSize};
    require_equal(::process_vm_readv(child.pid(), &local, 1, &remote, 1, 0),
                  static_cast<ssize_t>(kSize), "process_vm_readv");
    require_same(got, pattern(kSize, 1), "read from the child");
    require_bytes(memory.data(), kSize, 0, "one's own");
}

CASE(kernel_proc_mem) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    const Fd mem(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    require_call(static_cast<bool>(mem), "/proc/self/mem");
    receive_pattern(link, memory.at(5), kSize, 1);
    std::string got(kSize, '\0');
    require_equal(::pread(mem.get(), got.data(), kSize, reinterpret_cast<off_t>(memory.at(5))),
                  static_cast<ssize_t>(kSize), "pread");
    require_same(got, pattern(kSize, 1), "/proc/self/mem");
    receive_pattern(link, memory.data(), kSize, 2);
    require_equal(::pwrite(mem.get(), "edit", 4, reinterpret_cast<off_t>(memory.at(kPage - 2))), 4,
                  "pwrite");
    require_pattern(memory.data(), kPage - 2, 2, 0, "before the edit");
    require_equal(std::string(memory.at(kPage - 2), 4), "edit", "the edit");
    require_pattern(memory.at(kPage + 2), kSize - kPage - 2, 2, kPage + 2, "behind the edit");
    proof.require_some();
}

CASE(kernel_ptrace) {
    const Arena memory(kRoom);
    Child child([&] {
        const LazyProof proof;
        const Link link;
        receive_pattern(link, memory.data(), kSize, 1);
        proof.require_some();
        require_call(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0, "PTRACE_TRACEME");
        ::raise(SIGSTOP);
        require_equal(std::string(memory.at(4 * kPage), 8), "ABCDEFGH", "what the tracer wrote");
    });
    int status = 0;
    require_call(::waitpid(child.pid(), &status, 0) == child.pid(), "waitpid");
    require(WIFSTOPPED(status), "the child did not stop");
    for (std::size_t at = 0; at < kSize; at += 3 * kPage + 8) {
        errno = 0;
        const long word = ::ptrace(PTRACE_PEEKDATA, child.pid(), memory.at(at), nullptr);
        require_call(errno == 0, "PTRACE_PEEKDATA");
        require_pattern(reinterpret_cast<const char*>(&word), 8, 1, at, "a word");
    }
    long word = 0;
    std::memcpy(&word, "ABCDEFGH", 8);
    require_call(::ptrace(PTRACE_POKEDATA, child.pid(), memory.at(4 * kPage), word) == 0,
                 "PTRACE_POKEDATA");
    require_call(::ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "PTRACE_CONT");
    child.wait("the child");
}

// Pages in a pipe are the process's own, which a later read writes to: as natively.
CASE(kernel_vmsplice) {
    const LazyProof proof;
    for (const unsigned flags : {0U, static_cast<unsigned>(SPLICE_F_GIFT)})
        same_on_both(kRoom, [flags](const Arena& memory, Transcript& seen) {
            const Link link;
            const Pipe pipe;
            receive_pattern(link, memory.data(), 8 * kPage, 1);
            iovec piece = {memory.data(), 8 * kPage};
            seen.call("vmsplice", ::vmsplice(pipe.to.get(), &piece, 1, flags));
            receive_pattern(link, memory.data(), 4 * kPage, 2);
            std::memset(memory.at(6 * kPage), '!', 100);
            const std::string got = read_all(pipe.from, 8 * kPage);
            for (std::size_t page = 0; page < 8; ++page)
                seen.bytes("page " + std::to_string(page), got.data() + page * kPage, kPage);
            seen.bytes("memory", memory.data(), 8 * kPage);
        });
    proof.require_some();
}

CASE(kernel_vmsplice_to_a_socket) {
    const LazyProof proof;
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    const Pipe pipe;
    receive_pattern(in, memory.data(), 8 * kPage, 1);
    iovec piece = {memory.at(10), 7 * kPage};
    require_equal(::vmsplice(pipe.to.get(), &piece, 1, 0), static_cast<ssize_t>(7 * kPage),
                  "vmsplice");
    require_equal(::splice(pipe.from.get(), nullptr, out.here.get(), nullptr, 7 * kPage, 0),
                  static_cast<ssize_t>(7 * kPage), "splice");
    require_arrival(out, 7 * kPage, 1, 10, "what arrived");
    proof.require_some();
}

// From a pipe into lazy memory, and tee'd bytes stay as they are.
CASE(kernel_read_of_a_pipe) {
    const Link link;
    const Arena memory(kRoom);
    const Pipe pipe;
    receive_pattern(link, memory.data(), kSize, 1);
    const std::string given = pattern(10'000, 2);
    require_equal(::write(pipe.to.get(), given.data(), given.size()), 10'000, "write");
    require_equal(::read(pipe.from.get(), memory.at(4000), 10'000), 10'000, "read");
    require_pattern(memory.data(), 4000, 1, 0, "before it");
    require_pattern(memory.at(4000), 10'000, 2, 0, "from the pipe");
    require_pattern(memory.at(14'000), kSize - 14'000, 1, 14'000, "behind it");
}

// A pinned page, written to by the next read while the kernel still sends from it.
CASE(kernel_zerocopy_then_receive) {
    const Link in;
    const Link out;
    const Arena memory(kRoom);
    set_option(out.here, SOL_SOCKET, SO_ZEROCOPY, 1);
    for (std::uint64_t stream = 1; stream <= 10; ++stream) {
        receive_pattern(in, memory.data(), 10 * kPage, stream);
        send_all(out.here, memory.data(), 10 * kPage, MSG_ZEROCOPY);
        const std::string got = take(out.peer, 10 * kPage);
        require_pattern(got.data(), got.size(), stream, 0, "what arrived");
        receive_pattern(in, memory.data(), 10 * kPage, stream + 100);
        require_pattern(memory.data(), 10 * kPage, stream + 100, 0, "the next message");
    }
}

}  // namespace
}  // namespace libra::test
