// SPDX-License-Identifier: GPL-2.0-only
// Every allocation of an operation fails in turn, by the debug kernel's fail-nth. What
// fails says so as it would on private memory; no byte is wrong, and nothing is left.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <list>
#include <string>
#include <utility>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"

namespace libra::test {
namespace {

constexpr std::size_t kRoom = 128 << 10;
constexpr std::size_t kSize = 20 * kPage;

// A preempted thread's area is written on its way back to user space. Behind a fork() that is
// a copy of its page, and the thread is killed where the allocation for it fails: natively, too.
void unregister_rseq() {
    constexpr unsigned kLeast = 32;  // what is registered where less of it is used
    thread_local bool done;          // and a child has none, either
    if (std::exchange(done, true))
        return;
    char* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    if (__rseq_size > 0)
        require_call(::syscall(SYS_rseq, area, std::max(__rseq_size, kLeast), 1, RSEQ_SIG) == 0,
                     "rseq: unregister");
}

// Allocations of every kind can be made to fail from then on, and say nothing of it.
class Injection {
  public:
    Injection() : nth_(::open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC)) {
        if (!nth_)
            skip("no fault injection");
        unregister_rseq();
        for (const auto& [name, value] : {std::pair{"failslab/ignore-gfp-wait", "N"},
                                          {"failslab/verbose", "0"},
                                          {"fail_page_alloc/ignore-gfp-wait", "N"},
                                          {"fail_page_alloc/ignore-gfp-highmem", "N"},
                                          {"fail_page_alloc/min-order", "0"},
                                          {"fail_page_alloc/verbose", "0"}})
            set(name, value);
    }

    // The nth allocation from now on that this thread asks the kernel for fails.
    void arm(unsigned nth) const { write(nth); }
    // None does any more. Was there an nth? errno stays.
    bool disarm() const {
        const int error = errno;
        char text[16] = {};
        require_call(::pread(nth_.get(), text, sizeof(text) - 1, 0) > 0, "fail-nth");
        write(0);
        errno = error;
        return std::atoi(text) == 0;
    }

    // Does this with the first allocation failing, then with the second, until there are no
    // more of them. attempt(nth) arms, and returns what disarm() said. How often it did.
    template <typename Attempt>
    void each(const std::string& what, Attempt attempt) const {
        unsigned injected = 0;
        // What the kernel has cached differs: one that is not reached is no end yet.
        for (unsigned nth = 1, missed = 0; missed < 3; ++nth) {
            const bool hit = attempt(nth);
            injected += hit;
            missed = hit ? 0 : missed + 1;
        }
        remark(what + ": " + std::to_string(injected) + " allocations failed");
        require(injected > 0, what + ": no allocation failed, it proves nothing");
    }

  private:
    void set(const std::string& name, const char* value) {
        std::ofstream out("/sys/kernel/debug/" + name);
        out << value << std::flush;
        if (!out)
            skip("no fault injection: " + name);
    }
    void write(unsigned nth) const {
        const std::string text = std::to_string(nth);
        require_call(::pwrite(nth_.get(), text.data(), text.size(), 0) > 0, "fail-nth");
    }

    Fd nth_;
};

// A call that failed said one of these.
void require_errno(long result, std::initializer_list<int> allowed, const std::string& what) {
    if (result >= 0)
        return;
    for (const int error : allowed)
        if (errno == error)
            return;
    require_call(false, what);
}

std::string numbered(const std::string& what, unsigned nth) {
    return what + ", allocation " + std::to_string(nth);
}

// What pages are before something happens to them.
enum class State { kEmpty, kTouched, kLazy, kShared };
constexpr std::pair<State, const char*> kStates[] = {{State::kEmpty, "empty"},
                                                     {State::kTouched, "touched"},
                                                     {State::kLazy, "lazy"},
                                                     {State::kShared, "shared"}};

// An arena in this state, with this stream in it where it is not empty.
class Prepared {
  public:
    Prepared(const Link& link, State state, std::uint64_t stream) : memory_(kRoom) {
        if (state == State::kEmpty)
            return;
        receive_pattern(link, memory_.data(), kSize, stream);
        if (state == State::kLazy)
            return;
        require_pattern(memory_.data(), kSize, stream, 0, "touched");
        if (state == State::kShared)
            relative_.emplace_back([] {
                for (;;)
                    ::pause();
            });
    }
    const Arena& operator*() const { return memory_; }

  private:
    Arena memory_;
    std::list<Child> relative_;
};

CASE(inject_arena) {
    const Injection inject;
    const Fd device(open_device());
    inject.each("LIBRA_IOC_ARENA", [&](unsigned nth) {
        inject.arm(nth);
        const Fd fd(new_arena(device.get(), kRoom));
        const bool hit = inject.disarm();
        require_errno(fd.get(), {ENOMEM}, numbered("LIBRA_IOC_ARENA", nth));
        require(hit || fd, "it fails without an allocation that did");
        return hit;
    });
}

CASE(inject_map) {
    const Injection inject;
    const Link link;
    const Fd device(open_device());
    inject.each("mmap", [&](unsigned nth) {
        const Fd fd(new_arena(device.get(), kRoom));
        const auto map = [&] {
            return static_cast<char*>(
                ::mmap(nullptr, kRoom, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
        };
        inject.arm(nth);
        char* memory = map();
        const bool hit = inject.disarm();
        if (memory == MAP_FAILED) {
            require_errno(-1, {ENOMEM}, numbered("mmap", nth));
            memory = map();
            require_call(memory != MAP_FAILED, numbered("mmap once more", nth));
        }
        receive_pattern(link, memory, kSize, nth);
        require_pattern(memory, kSize, nth, 0, numbered("mmap", nth));
        require_call(::munmap(memory, kRoom) == 0, "munmap");
        return hit;
    });
}

// A fault of the application's is tried again until there is memory.
CASE(inject_touch) {
    const Injection inject;
    const Link link;
    for (const auto& [state, name] : kStates) {
        const std::string what = std::string("a look at ") + name + " memory";
        if (state == State::kTouched)  // it is there
            continue;
        inject.each(what, [&](unsigned nth) {
            const Prepared prepared(link, state, nth);
            const Arena& memory = *prepared;
            inject.arm(nth);
            const char seen = *static_cast<volatile char*>(memory.at(3 * kPage + 5));
            *static_cast<volatile char*>(memory.at(5 * kPage)) = 'w';
            const bool hit = inject.disarm();
            const bool empty = state == State::kEmpty;
            require_equal(+seen, empty ? 0 : +pattern_byte(nth, 3 * kPage + 5),
                          numbered(what, nth));
            require_equal(*memory.at(5 * kPage), 'w', numbered(what, nth));
            if (!empty)
                require_pattern(memory.at(6 * kPage), kSize - 6 * kPage, nth, 6 * kPage,
                                numbered(what, nth));
            return hit;
        });
    }
}

// The kernel that looks, for the application or for others, says EFAULT or less.
CASE(inject_touch_by_the_kernel) {
    const Injection inject;
    const Link link;
    int ends[2];
    require_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
    const Fd from(ends[0]);
    const Fd to(ends[1]);
    std::string seen(3 * kPage, '\0');
    for (const bool by_pin : {false, true}) {
        const std::string what = by_pin ? "process_vm_readv" : "write to a pipe";
        inject.each(what, [&](unsigned nth) {
            const Prepared prepared(link, State::kLazy, nth);
            const Arena& memory = *prepared;
            const iovec local = {seen.data(), seen.size()};
            const iovec remote = {memory.at(100), seen.size()};
            inject.arm(nth);
            const ssize_t count = by_pin ? ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0)
                                         : ::write(to.get(), memory.at(100), seen.size());
            const bool hit = inject.disarm();
            require_errno(count, {EFAULT, ENOMEM}, numbered(what, nth));
            if (count > 0) {
                if (!by_pin)
                    require_equal(::read(from.get(), seen.data(), seen.size()), count, "read");
                require_pattern(seen.data(), static_cast<std::size_t>(count), nth, 100,
                                numbered(what, nth));
            }
            require_pattern(memory.data(), kSize, nth, 0, numbered(what, nth));
            return hit;
        });
    }
}

// One read; what it did not take is still in the queue.
bool receive(const Injection& inject, const Link& link, char* to, std::size_t size, unsigned nth,
             const std::string& what) {
    inject.arm(nth);
    const ssize_t count = ::recv(link.here.get(), to, size, 0);
    const bool hit = inject.disarm();
    require_errno(count, {EFAULT}, numbered(what, nth));
    const std::size_t done = count > 0 ? static_cast<std::size_t>(count) : 0;
    require_equal(queued(link.here), size - done, numbered(what, nth) + ": still in the queue");
    receive_all(link.here, to + done, size - done);
    return hit;
}

CASE(inject_receive_pages) {
    const Injection inject;
    const LazyProof proof;
    const Link link;
    for (const auto& [state, name] : kStates) {
        const std::string what = std::string("recv into ") + name + " memory";
        inject.each(what, [&](unsigned nth) {
            const Prepared prepared(link, state, nth);
            const Arena& memory = *prepared;
            feed(link, 18 * kPage, nth + 1000);
            const bool hit = receive(inject, link, memory.data(), 18 * kPage, nth, what);
            require_pattern(memory.data(), 18 * kPage, nth + 1000, 0, numbered(what, nth));
            if (state == State::kEmpty)
                require_bytes(memory.at(18 * kPage), kRoom - 18 * kPage, 0, "behind it");
            else
                require_pattern(memory.at(18 * kPage), kSize - 18 * kPage, nth, 18 * kPage,
                                "behind it");
            return hit;
        });
    }
    proof.require_some();
}

// Parts of pages: what a page stands for is put together anew.
CASE(inject_receive_parts) {
    constexpr std::size_t kFirst = 10'000;
    constexpr std::size_t kSecond = 9000;
    const Injection inject;
    const LazyProof proof;
    const Link link;
    for (const int feedback : {0, 1})
        for (const auto& [state, name] : kStates) {
            const Sysctl setting("lazy_feedback", feedback);
            const std::string what = std::string("recv of parts of ") + name + " pages" +
                                     (feedback ? ", with feedback" : "");
            inject.each(what, [&](unsigned nth) {
                const Prepared prepared(link, state, nth);
                const Arena& memory = *prepared;
                if (state == State::kLazy)
                    receive_pattern(link, memory.data(), kFirst, nth + 1000);
                feed(link, kSecond, nth + 2000);
                const bool hit = receive(inject, link, memory.at(kFirst), kSecond, nth, what);
                if (state == State::kEmpty)
                    require_bytes(memory.data(), kFirst, 0, numbered(what, nth));
                else
                    require_pattern(memory.data(), kFirst, state == State::kLazy ? nth + 1000 : nth,
                                    0, numbered(what, nth));
                require_pattern(memory.at(kFirst), kSecond, nth + 2000, 0, numbered(what, nth));
                const std::size_t end = kFirst + kSecond;
                if (state == State::kEmpty)
                    require_bytes(memory.at(end), kSize - end, 0, numbered(what, nth));
                else
                    require_pattern(memory.at(end), kSize - end, nth, end, numbered(what, nth));
                return hit;
            });
        }
    proof.require_some();
}

// What others may still write, and small pieces, are copied on the way into an anchor.
CASE(inject_receive_copies) {
    const Injection inject;
    const LazyProof proof;
    const Link link;
    const Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    require_call(static_cast<bool>(file), "a temporary file");
    inject.each("recv of what is copied", [&](unsigned nth) {
        const Arena memory(kRoom);
        const std::string bytes = pattern(kSize, nth);
        require_equal(::pwrite(file.get(), bytes.data(), kSize, 0), static_cast<ssize_t>(kSize),
                      "pwrite");
        std::size_t sent = 0;
        const auto send = [&](std::size_t size) {
            send_all(link.peer, bytes.data() + sent, size);
            sent += size;
        };
        const auto send_file = [&](std::size_t size) {
            auto from = static_cast<off_t>(sent);
            require_equal(::sendfile(link.peer.get(), file.get(), &from, size),
                          static_cast<ssize_t>(size), "sendfile");
            sent += size;
        };
        send(10'000);
        send_file(15'000);
        for (int piece = 0; piece < 20; ++piece)
            send(200);
        send(20'000);
        send_file(9000);
        send(kSize - sent);
        wait_queued(link.here, kSize);
        const bool hit = receive(inject, link, memory.data(), kSize, nth, "recv");
        require_pattern(memory.data(), kSize, nth, 0, numbered("what is copied", nth));
        return hit;
    });
    proof.require_some();
}

// An anchor of many fragments needs room for them on the way: a run that ends there is
// lazy as far as it got, and its last page is written.
CASE(inject_receive_fragments) {
    constexpr std::size_t kPiece = 2100;  // smaller ones are copied, and are one fragment
    const Injection inject;
    const LazyProof proof;
    const Link link;
    const Link other;
    inject.each("recv of many fragments", [&](unsigned nth) {
        const Arena memory(kRoom);
        const std::string bytes = pattern(kSize, nth);
        // What another connection takes of the same memory keeps them apart.
        for (std::size_t at = 0; at < kSize; at += kPiece) {
            send_all(link.peer, bytes.data() + at, std::min(kPiece, kSize - at));
            send_all(other.peer, bytes.data(), 100);
        }
        wait_queued(link.here, kSize);
        const bool hit = receive(inject, link, memory.data(), kSize, nth, "recv");
        take(other.here, queued(other.here));
        require_pattern(memory.data(), kSize, nth, 0, numbered("many fragments", nth));
        return hit;
    });
    proof.require_some();
}

// Nothing of it is refused: who sends waits until there is memory.
CASE(inject_send) {
    const Injection inject;
    const LazyProof proof;
    const Link in;
    const Link out;
    std::string header = pattern(700, 5);
    for (const bool mixed : {false, true}) {
        const std::string what = mixed ? "sendmsg of lazy and other pages" : "send of lazy pages";
        inject.each(what, [&](unsigned nth) {
            const Prepared prepared(in, State::kLazy, nth);
            const Arena& memory = *prepared;
            if (mixed)
                for (const std::size_t page : {3, 4, 9})
                    *memory.at(page * kPage + 1) ^= 0;
            iovec pieces[] = {{header.data(), mixed ? header.size() : 0},
                              {memory.at(10), kSize - 10}};
            const std::size_t size = pieces[0].iov_len + pieces[1].iov_len;
            msghdr message = {};
            message.msg_iov = pieces;
            message.msg_iovlen = 2;
            inject.arm(nth);
            const ssize_t count = ::sendmsg(out.here.get(), &message, 0);
            const bool hit = inject.disarm();
            require_call(count == static_cast<ssize_t>(size), numbered(what, nth));
            if (mixed)
                require_same(take(out.peer, header.size()), header, numbered(what, nth));
            require_arrival(out, kSize - 10, nth, 10, numbered(what, nth));
            require_pattern(memory.data(), kSize, nth, 0, numbered(what, nth));
            return hit;
        });
    }
    proof.require_some();
}

// It is refused before the child runs, or the child has all of it.
CASE(inject_fork) {
    const Injection inject;
    const LazyProof proof;
    const Link link;
    int ends[2];
    require_call(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
    const Fd from(ends[0]);
    const Fd to(ends[1]);
    inject.each("fork", [&](unsigned nth) {
        const Arena memory(kRoom);
        receive_pattern(link, memory.data(), kSize, nth);
        require_pattern(memory.at(2 * kPage), 3 * kPage, nth, 2 * kPage, "touched");
        // A page that a pipe holds is copied for the child.
        iovec held = {memory.at(3 * kPage), kPage};
        require_equal(::vmsplice(to.get(), &held, 1, 0), static_cast<ssize_t>(kPage), "vmsplice");
        inject.arm(nth);
        const pid_t child = ::fork();
        if (child == 0)
            std::_Exit(first_wrong(memory.data(), kSize, nth) == kSize ? 0 : 1);
        const bool hit = inject.disarm();
        require_errno(child, {ENOMEM}, numbered("fork", nth));
        int status = 0;
        require_call(child < 0 || ::waitpid(child, &status, 0) == child, "waitpid");
        require_equal(status, 0, numbered("what the child found", nth));
        std::string page(kPage, '\0');
        require_equal(::read(from.get(), page.data(), kPage), static_cast<ssize_t>(kPage), "read");
        require_pattern(page.data(), kPage, nth, 3 * kPage, "what was held");
        receive_pattern(link, memory.data(), 4 * kPage, nth + 1000);
        require_pattern(memory.data(), 4 * kPage, nth + 1000, 0, numbered("received after", nth));
        require_pattern(memory.at(4 * kPage), kSize - 4 * kPage, nth, 4 * kPage,
                        numbered("the parent's", nth));
        return hit;
    });
    proof.require_some();
}

bool is_mapped(const char* at) {
    unsigned char resident = 0;
    return ::mincore(const_cast<char*>(at), kPage, &resident) == 0;
}

// What changes a part of a mapping is refused as a whole, or done. Where something else
// was to be mapped, there may be nothing after that failed: so it is natively.
CASE(inject_change) {
    const Injection inject;
    const LazyProof proof;
    const Link link;
    struct Change {
        const char* what;
        long (*make)(const Arena& memory);
        bool unmaps;
        int error = ENOMEM;
        bool replaces = false;
    };
    const Change changes[] = {
        {"munmap", [](const Arena& m) -> long { return ::munmap(m.at(8 * kPage), 4 * kPage); },
         true},
        {"mprotect",
         [](const Arena& m) -> long { return ::mprotect(m.at(8 * kPage), 4 * kPage, PROT_READ); },
         false},
        {"madvise",
         [](const Arena& m) -> long {
             return ::madvise(m.at(8 * kPage), 4 * kPage, MADV_DONTFORK);
         },
         false, EAGAIN},
        {"mmap",
         [](const Arena& m) -> long {
             return ::mmap(m.at(8 * kPage), 4 * kPage, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
                        ? -1
                        : 0;
         },
         false, ENOMEM, true},
        {"mremap",
         [](const Arena& m) -> long {
             void* moved = ::mremap(m.data(), kSize, 2 * kRoom, MREMAP_MAYMOVE);
             require(moved == MAP_FAILED, "it was moved");
             return errno == EINVAL ? 0 : -1;
         },
         false},
    };
    for (const Change& change : changes)
        inject.each(change.what, [&](unsigned nth) {
            const std::string what = numbered(change.what, nth);
            const Prepared prepared(link, State::kLazy, nth);
            const Arena& memory = *prepared;
            require_pattern(memory.at(7 * kPage), 3 * kPage, nth, 7 * kPage, "touched");
            inject.arm(nth);
            const long result = change.make(memory);
            const bool hit = inject.disarm();
            require_errno(result, {change.error}, what);
            require_pattern(memory.data(), 8 * kPage, nth, 0, what);
            const bool hole = !is_mapped(memory.at(8 * kPage));
            require_equal(hole, change.replaces ? hole && result < 0 : change.unmaps && result == 0,
                          what + ": a hole");
            if (change.replaces && result == 0)
                require_bytes(memory.at(8 * kPage), 4 * kPage, 0, what);
            else if (!hole)
                require_pattern(memory.at(8 * kPage), 4 * kPage, nth, 8 * kPage, what);
            require_pattern(memory.at(12 * kPage), kSize - 12 * kPage, nth, 12 * kPage, what);
            return hit;
        });
    proof.require_some();
}

// These need no memory, whatever fails.
CASE(inject_discard_and_end) {
    const Injection inject;
    const LazyProof proof;
    const Link link;
    for (unsigned nth = 1; nth <= 8; ++nth)
        for (const auto& [state, name] : kStates) {
            const Prepared prepared(link, state, nth);
            const Arena& memory = *prepared;
            inject.arm(nth);
            memory.discard(0, 10 * kPage);
            inject.disarm();
            require_bytes(memory.data(), 10 * kPage, 0, numbered(name, nth));
            Child child([&] {
                receive_pattern(link, memory.at(12 * kPage), 4 * kPage, 9);
                const Injection own;
                own.arm(nth);
                std::_Exit(0);
            });
            child.wait("a child that ends");
            inject.arm(nth);
            const int result = ::munmap(memory.data(), kRoom);
            inject.disarm();
            require_call(result == 0, "munmap of all");
        }
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
