// SPDX-License-Identifier: GPL-2.0-only
// Payload memory in a memory cgroup: its limit, its end, and what is reclaimed.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>

#include "arena.h"
#include "counted.h"
#include "frame.h"
#include "link.h"
#include "pattern.h"
#include "ring.h"

namespace libra::test {
namespace {

constexpr std::size_t kMega = 1 << 20;
constexpr std::size_t kSize = 24 * kPage;
const std::string kRoot = "/sys/fs/cgroup/";

// One that ends with the case; whoever enters it must be gone by then.
class Cgroup {
  public:
    explicit Cgroup(std::size_t limit) : path_(kRoot + "libra-lazy-" + std::to_string(::getpid())) {
        if (!::getenv("LIBRA_KERNEL"))
            skip("cgroups are the machine's: only in a virtual machine");
        require(write(kRoot + "cgroup.subtree_control", "+memory"), "no memory controller");
        require_call(::mkdir(path_.c_str(), 0755) == 0, path_);
        set("memory.max", std::to_string(limit));
        write(path_ + "/memory.swap.max", "0");  // where there is swap
    }
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    ~Cgroup() {
        for (int turn = 0; ::rmdir(path_.c_str()) != 0 && errno == EBUSY && turn < 500; ++turn)
            ::usleep(10'000);
    }

    void enter() const { set("cgroup.procs", "0"); }
    void set(const std::string& name, const std::string& value) const {
        require(write(path_ + "/" + name, value), name + ": " + std::strerror(errno));
    }
    // Less than that may be there to be reclaimed.
    void reclaim(std::size_t bytes) const {
        write(path_ + "/memory.reclaim", std::to_string(bytes));
    }
    // The most that was ever charged.
    std::uint64_t peak() const {
        std::ifstream in(path_ + "/memory.peak");
        std::uint64_t value = 0;
        require(static_cast<bool>(in >> value), "no memory.peak");
        return value;
    }
    std::uint64_t kills() const {
        std::ifstream events(path_ + "/memory.events");
        std::string name;
        std::uint64_t value = 0;
        while (events >> name >> value)
            if (name == "oom_kill")
                return value;
        throw Failed("no oom_kill in memory.events");
    }

  private:
    static bool write(const std::string& path, const std::string& value) {
        std::ofstream out(path);
        out << value << std::flush;
        return static_cast<bool>(out);
    }

    std::string path_;
};

// Who touches more than there may be is killed, as natively, and nobody else.
CASE(memcg_limit) {
    const Cgroup cgroup(24 * kMega);
    const Link link;
    const Arena memory(kMega);
    receive_pattern(link, memory.data(), kSize, 1);
    std::uint64_t kills = 0;
    for (const Kind kind : {Kind::kOrdinary, Kind::kPayload}) {
        Child child([&] {
            cgroup.enter();
            const Arena large(64 * kMega, kind);
            require_pattern(memory.data(), kSize, 1, 0, "what is inherited");
            for (std::size_t at = 0; at < large.size(); at += kPage)
                *large.at(at) = 'x';
        });
        for (std::uint64_t stream = 2; stream < 10; ++stream) {
            receive_pattern(link, memory.at(kSize), kSize, stream);
            require_pattern(memory.at(kSize), kSize, stream, 0, "beside it");
        }
        const int status = child.status();
        require(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                "who touched 64 MB of 24 ended with status " + std::to_string(status));
        require(cgroup.kills() > kills, "it was not for memory");
        kills = cgroup.kills();
        require_pattern(memory.data(), kSize, 1, 0, "afterwards");
    }
}

// By the kernel, which writes for the application: an error, or less, or the same end.
CASE(memcg_limit_of_the_kernel) {
    const Cgroup cgroup(24 * kMega);
    for (const Kind kind : {Kind::kOrdinary, Kind::kPayload}) {
        Child child([&] {
            cgroup.enter();
            const Arena large(64 * kMega, kind);
            const Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
            const ssize_t count = ::read(zero.get(), large.data(), large.size());
            require(count < static_cast<ssize_t>(large.size()), "64 MB of 24 were read");
        });
        const int status = child.status();
        require(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
                "who read 64 MB of 24 ended with status " + std::to_string(status));
    }
}

// Received over and over: it stays within, and is exact.
CASE(memcg_receive) {
    const LazyProof proof;
    const Cgroup cgroup(32 * kMega);
    Child child([&] {
        cgroup.enter();
        const Link link;
        const Arena memory(2 * kMega);
        for (std::uint64_t stream = 1; stream <= 60; ++stream) {
            const std::size_t at = stream % 4 * kSize;
            receive_pattern(link, memory.at(at), kMega, stream);
            if (stream % 3 == 0)
                require_pattern(memory.at(at), kMega, stream, 0, "received");
            send_all(link.here, memory.at(at), kMega);
            require_arrival(link, kMega, stream, 0, "sent");
        }
    });
    child.wait("a child in a memory cgroup");
    require_equal(cgroup.kills(), 0U, "killed for memory");
    proof.require_some();
}

// More than there may be: a patched kernel charges what is lazy, so that it ends as
// what was touched does; on another one it is exact.
CASE(memcg_receive_too_much) {
    const Cgroup cgroup(24 * kMega);
    Child child([&] {
        cgroup.enter();
        const Arena memory(64 * kMega);
        for (std::size_t at = 0; at < memory.size(); at += kMega) {
            const Link link;
            receive_pattern(link, memory.at(at), kMega, at);
            require_pattern(memory.at(at + 5 * kPage), kPage, at, 5 * kPage, "received");
        }
        for (std::size_t at = 0; at < memory.size(); at += kMega)
            require_pattern(memory.at(at + 9 * kPage), kPage, at, 9 * kPage, "afterwards");
    });
    const int status = child.status();
    require(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
            "who received 64 MB ended with status " + std::to_string(status));
}

// A child's copies are its own: the parent goes on when they are too many.
CASE(memcg_child) {
    const Cgroup cgroup(24 * kMega);
    const Link link;
    const Arena memory(64 * kMega);
    std::memset(memory.data(), 'p', memory.size());
    receive_pattern(link, memory.data(), kSize, 1);
    Child child([&] {
        cgroup.enter();
        std::memset(memory.data(), 'c', memory.size());
    });
    const int status = child.status();
    require(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
            "a child that wrote 64 MB of 24 ended with status " + std::to_string(status));
    require_pattern(memory.data(), kSize, 1, 0, "the parent's");
    require_bytes(memory.at(kSize), memory.size() - kSize, 'p', "the parent's");
}

// Pages that somebody holds are copied for a child at once. If they are too many, who forks
// is killed for it, or gets an error, and not after all of them were copied.
CASE(memcg_fork) {
    constexpr std::size_t kLimit = 24 * kMega;
    for (const Kind kind : {Kind::kOrdinary, Kind::kPayload}) {
        const Cgroup cgroup(kLimit);
        Child parent([&] {
            const Arena memory(16 * kMega, kind);
            cgroup.enter();
            std::memset(memory.data(), 'p', memory.size());
            Ring ring;
            require(ring.register_buffer(memory.data(), memory.size()), "no fixed buffer");
            const pid_t child = ::fork();
            if (child == 0)
                ::_exit(0);
            require(child < 0 && errno == ENOMEM, "32 MB of 24 are there");
        });
        const int status = parent.status();
        require(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
                "who forked ended with status " + std::to_string(status));
        const std::uint64_t peak = cgroup.peak();
        require(peak > 16 * kMega, "nothing was charged");
        require(peak < kLimit + kMega, std::to_string(peak) + " bytes were charged, the limit is " +
                                           std::to_string(kLimit));
    }
}

// Reclaim takes nothing of it.
CASE(memcg_reclaim) {
    const LazyProof proof;
    const Cgroup cgroup(256 * kMega);
    const Link word;
    Child child([&] {
        cgroup.enter();
        const Link link;
        const Arena memory(kMega);
        const Arena ordinary(kMega, Kind::kOrdinary);
        receive_pattern(link, memory.data(), kSize, 1);
        require_pattern(memory.data(), 10 * kPage, 1, 0, "touched");
        put_pattern(ordinary.data(), kMega, 2);
        send_all(word.here, ".", 1);
        take(word.here, 1);
        require_pattern(memory.data(), kSize, 1, 0, "after reclaim");
        require_pattern(ordinary.data(), kMega, 2, 0, "ordinary memory after reclaim");
        receive_pattern(link, memory.data(), kSize, 3);
        cgroup.set("memory.high", std::to_string(4 * kMega));
        require_pattern(memory.data(), kSize, 3, 0, "beyond memory.high");
    });
    take(word.peer, 1);
    for (int turn = 0; turn < 5; ++turn) {
        cgroup.reclaim(64 * kMega);
        std::ofstream("/proc/sys/vm/drop_caches") << 3 << std::flush;
    }
    send_all(word.peer, ".", 1);
    child.wait("a child in a memory cgroup");
    proof.require_some();
}

}  // namespace
}  // namespace libra::test
