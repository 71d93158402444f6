// SPDX-License-Identifier: GPL-2.0-only
// Payload memory and its descriptors, in other processes and other namespaces.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 256 << 10;
constexpr std::size_t kSize = 24 * kPage;

void require_errno(bool failed, int expected, const std::string& what) {
    const int error = errno;
    require(failed, what + " succeeds");
    require_equal(std::string(std::strerror(error)), std::strerror(expected), what);
}

void* map(const Fd& fd, std::size_t size) {
    return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
}

// A message of one byte, with room for a descriptor.
struct Passage {
    Passage() {
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
    }
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;

    char byte = '.';
    iovec piece = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
};

void pass(const Fd& to, const Fd& fd) {
    Passage passage;
    cmsghdr* header = CMSG_FIRSTHDR(&passage.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = fd.get();
    std::memcpy(CMSG_DATA(header), &number, sizeof(number));
    require_call(::sendmsg(to.get(), &passage.message, 0) == 1, "SCM_RIGHTS");
}

Fd passed(const Fd& from) {
    Passage passage;
    require_call(::recvmsg(from.get(), &passage.message, MSG_CMSG_CLOEXEC) == 1, "SCM_RIGHTS");
    const cmsghdr* header = CMSG_FIRSTHDR(&passage.message);
    require(header != nullptr, "no descriptor was passed");
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof(number));
    return Fd(number);
}

// To another process: the device serves it, an arena does not.
CASE(passed_descriptors) {
    needs_libra();
    int ends[2];
    require_call(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    const Fd here(ends[0]);
    const Fd there(ends[1]);
    const Link link;
    Child child([&] {
        const Fd device = passed(there);
        const Fd arena = passed(there);
        require_errno(map(arena, kRoom) == MAP_FAILED, EPERM, "mmap of another's arena");
        const Fd own(new_arena(device.get(), kRoom));
        require_call(static_cast<bool>(own), "an arena by a device that was passed");
        char* memory = static_cast<char*>(map(own, kRoom));
        require_call(memory != MAP_FAILED, "mmap of it");
        const LazyProof proof;
        receive_pattern(link, memory, kSize, 1);
        proof.require_some();
        require_pattern(memory, kSize, 1, 0, "received");
        // An address of the other's is nothing here.
        std::uint64_t address = 0;
        require_call(::read(there.get(), &address, sizeof(address)) == sizeof(address), "read");
        require_call(discard_range(device.get(), address, kRoom) == 0, "LIBRA_IOC_DISCARD");
        // It goes back, and is the parent's again.
        pass(there, arena);
    });
    const Fd device(open_device());
    const Fd arena(new_arena(device.get(), kRoom));
    const Arena memory(kRoom);
    const Link own;
    receive_pattern(own, memory.data(), kSize, 2);
    pass(here, device);
    pass(here, arena);
    const auto address = reinterpret_cast<std::uint64_t>(memory.data());
    require_call(::write(here.get(), &address, sizeof(address)) == sizeof(address), "write");
    const Fd back = passed(here);
    child.wait("who got the descriptors");
    void* mapped = map(back, kRoom);
    require_call(mapped != MAP_FAILED, "mmap of one's own arena that came back");
    receive_pattern(own, static_cast<char*>(mapped), kSize, 3);
    require_pattern(static_cast<char*>(mapped), kSize, 3, 0, "received into it");
    require_pattern(memory.data(), kSize, 2, 0, "what was not discarded");
    require_call(::munmap(mapped, kRoom) == 0, "munmap");
}

// The arena of a process that is gone is nobody's.
CASE(passed_by_who_is_gone) {
    needs_libra();
    int ends[2];
    require_call(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    const Fd here(ends[0]);
    const Fd there(ends[1]);
    Child child([&] {
        const Fd device(open_device());
        pass(there, Fd(new_arena(device.get(), kRoom)));
    });
    child.wait("who made the arena");
    const Fd arena = passed(here);
    require_errno(map(arena, kRoom) == MAP_FAILED, EPERM, "mmap of the arena of one who is gone");
}

CASE(passed_file_operations) {
    needs_libra();
    const Fd device(open_device());
    const Fd arena(new_arena(device.get(), kRoom));
    char* memory = static_cast<char*>(map(arena, kRoom));
    require_call(memory != MAP_FAILED, "mmap");
    const Link link;
    const LazyProof proof;
    receive_pattern(link, memory, kSize, 1);
    char byte = 0;
    require_errno(::read(arena.get(), &byte, 1) < 0, EINVAL, "read");
    require_errno(::write(arena.get(), &byte, 1) < 0, EINVAL, "write");
    require_errno(::sendfile(link.here.get(), arena.get(), nullptr, 1) < 0, EINVAL, "sendfile");
    require_errno(::fallocate(arena.get(), 0, 0, kPage) < 0, EOPNOTSUPP, "fallocate");
    require_call(::ftruncate(arena.get(), 0) == 0, "ftruncate");
    require_call(::fsync(arena.get()) == 0, "fsync");
    const std::string link_of = "/proc/self/fd/" + std::to_string(arena.get());
    require_errno(::open(link_of.c_str(), O_RDWR | O_CLOEXEC) < 0, ENXIO, "open by /proc");
    require_pattern(memory, kSize, 1, 0, "afterwards");
    proof.require_some();
    require_call(::munmap(memory, kRoom) == 0, "munmap");
    require_errno(map(arena, kRoom) == MAP_FAILED, EBUSY, "mmap once more");
}

// A child that goes into namespaces of its own keeps what it has, and gets more.
CASE(passed_into_namespaces) {
    const LazyProof proof;
    const Link link;
    const Arena memory(kRoom);
    receive_pattern(link, memory.data(), kSize, 1);
    require_pattern(memory.at(3 * kPage), kPage, 1, 3 * kPage, "touched");
    feed(link, kSize, 2);
    Child outer([&] {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS) != 0)
            skip("no namespaces");
        require_pattern(memory.data(), 8 * kPage, 1, 0, "in a new user namespace");
        Child inner([&] {
            require_equal(::getpid(), 1, "who is first in a pid namespace");
            require_pattern(memory.data(), kSize, 1, 0, "in new namespaces");
            receive_all(link.here, memory.data(), kSize);
            require_pattern(memory.data(), kSize, 2, 0, "from a socket of the old one");
            bring_up_loopback();
            const LazyProof own_proof;
            const Link own;
            receive_pattern(own, memory.at(2 * kPage), kSize, 3);
            send_all(own.here, memory.at(2 * kPage), kSize);
            require_arrival(own, kSize, 3, 0, "sent in the new one");
            require_pattern(memory.at(2 * kPage), kSize, 3, 0, "from a socket of the new one");
            const Arena more(kRoom);
            receive_pattern(own, more.data(), kSize, 4);
            require_pattern(more.data(), kSize, 4, 0, "an arena of the new one");
            own_proof.require_some();
        });
        inner.wait("in new namespaces");
    });
    outer.wait("a child with namespaces");
    require_pattern(memory.data(), kSize, 1, 0, "the parent's");
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
