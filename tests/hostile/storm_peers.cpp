// SPDX-License-Identifier: GPL-2.0-only
#include "storm_peers.h"

#include <linux/tls.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/epoll.h"
#include "common/error.h"
#include "common/random.h"
#include "common/socket.h"
#include "storm_check.h"

namespace libra::test {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kOrigins = 2;  // threads
constexpr unsigned kClients = 2;
constexpr std::size_t kData = 4 << 20;
constexpr std::size_t kMost = 100'000;  // bytes of one send or receive
constexpr std::size_t kSegment = 65536;
constexpr auto kLook = 20ms;  // how long not to look at what was told

bool would_block(int error) {
    return error == EAGAIN || error == EINTR;
}

std::string high_bytes(std::size_t size, std::uint64_t seed) {
    Random random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes)
        byte = static_cast<char>(0x80 | random.below(0x80));
    return bytes;
}

class Origins {
  public:
    Origins(const StormOptions& options, const Fd& listener, StormShared& shared,
            std::uint64_t seed)
        : options_(options),
          listener_(listener),
          shared_(shared),
          random_(seed),
          data_(high_bytes(kData, seed)) {
        epoll_.add(listener_, EPOLLIN, kListener);
    }

    void run() {
        while (!shared_.over)
            for (const epoll_event& event : epoll_.wait(kLook)) {
                if (event.data.u64 == kListener)
                    accept();
                else
                    serve(static_cast<int>(event.data.u64), event.events);
            }
    }

  private:
    static constexpr std::uint64_t kListener = ~std::uint64_t{0};

    void accept() {
        Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd)
            return;  // the other thread was faster
        if (options_.ktls && !use_ktls(fd, TLS_TX))
            return;
        if (random_.one_in(4))
            set_buffers(fd, static_cast<int>(random_.log_between(4096, 65536)), 0);
        if (!shared_.learned) {
            teach(std::move(fd));
            return;
        }
        epoll_.add(fd, EPOLLOUT, static_cast<std::uint64_t>(fd.get()));
        const int number = fd.get();
        open_[number] = std::move(fd);
    }

    // All of it at once, so that most of it is anchored.
    void teach(Fd fd) {
        const std::string lesson(kLessonSize, kLesson);
        set_buffers(fd, static_cast<int>(4 * kLessonSize), 0);
        if (::send(fd.get(), lesson.data(), lesson.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(lesson.size()))
            throw Error::from_errno("sending what tells the magic");
        lesson_ = std::move(fd);
    }

    void serve(int number, std::uint32_t events) {
        const auto at = open_.find(number);
        const std::size_t size = random_.log_between(1, kMost);
        const char* from = data_.data() + random_.below(data_.size() - size);
        if ((events & (EPOLLERR | EPOLLHUP)) != 0 ||
            (::send(number, from, size, MSG_NOSIGNAL) < 0 && !would_block(errno)))
            open_.erase(at);
    }

    const StormOptions& options_;
    const Fd& listener_;
    StormShared& shared_;
    Random random_;
    std::string data_;
    Epoll epoll_;
    Fd lesson_;
    std::map<int, Fd> open_;
};

class Clients {
  public:
    Clients(const StormOptions& options, StormShared& shared, unsigned count, std::uint64_t seed)
        : options_(options), shared_(shared), count_(count), random_(seed), bytes_(kMost, '\0') {}

    void run() {
        while (!shared_.over || !open_.empty()) {
            while (shared_.learned && !shared_.over && open_.size() < count_)
                connect();
            for (const epoll_event& event : epoll_.wait(kLook))
                receive(static_cast<int>(event.data.u64));
        }
    }

  private:
    struct Client {
        Fd fd;
        StormCheck check;
        std::uint64_t leaves_after;  // bytes
    };

    void connect() {
        Fd fd;
        try {
            fd = connect_to(options_.listen);
            if (options_.ktls && !use_ktls(fd, TLS_RX))
                fd.reset();
        } catch (const Error&) {
            // Accepted, and aborted at once. If it is anything else no client receives a byte.
            fd.reset();
        }
        if (!fd) {
            ++shared_.resets;
            return;
        }
        // Smaller ones than a segment of a loopback make every byte wait for a timer.
        if (random_.one_in(4))
            set_buffers(fd, 0, static_cast<int>(random_.log_between(kSegment, 16 * kSegment)));
        epoll_.add(fd, EPOLLIN, static_cast<std::uint64_t>(fd.get()));
        const int number = fd.get();
        const std::uint64_t leaves_after =
            random_.one_in(8) ? random_.log_between(1, 1 << 24) : ~std::uint64_t{0};
        open_.insert_or_assign(
            number, Client{std::move(fd), StormCheck(shared_.magic_bytes()), leaves_after});
        ++shared_.connections;
    }

    void receive(int number) {
        const auto at = open_.find(number);
        const std::size_t size = random_.log_between(1, kMost);
        const ssize_t count = ::recv(number, bytes_.data(), size, 0);
        if (count < 0 && would_block(errno))
            return;
        if (count > 0) {
            at->second.check.feed({bytes_.data(), static_cast<std::size_t>(count)});
            shared_.received += static_cast<std::uint64_t>(count);
            if (at->second.check.received() < at->second.leaves_after)
                return;
            ++shared_.left;
        } else if (count < 0) {
            ++shared_.resets;
            if (errno == EBADMSG && shared_.wrong++ == 0)
                std::cerr << "a record that was not encrypted with its keys\n";
        }
        judge(at->second.check);
        open_.erase(at);
    }

    void judge(const StormCheck& check) {
        shared_.late += check.late();
        if (check.wrong() > 0 && shared_.wrong.fetch_add(check.wrong()) == 0)
            std::cerr << "a wrong byte " + check.complaint() + "\n";
    }

    const StormOptions& options_;
    StormShared& shared_;
    std::size_t count_;
    Random random_;
    std::string bytes_;
    Epoll epoll_;
    std::map<int, Client> open_;
};

void run_peers(const StormOptions& options, StormShared& shared, const Fd& listener) {
    std::vector<std::thread> threads;
    const auto start = [&threads](auto peer) {
        threads.emplace_back([peer] {
            try {
                peer->run();
            } catch (const std::exception& error) {
                std::cerr << std::string("libra-storm: a peer: ") + error.what() + "\n";
                ::_exit(2);
            }
        });
    };
    for (unsigned i = 0; i < kOrigins; ++i)
        start(std::make_shared<Origins>(options, listener, shared, options.seed * 100 + i));
    for (unsigned i = 0; i < kClients; ++i)
        start(std::make_shared<Clients>(options, shared, (options.clients + i) / kClients,
                                        options.seed * 100 + 50 + i));
    for (auto& thread : threads)
        thread.join();
}

}  // namespace

StormPeers::StormPeers(const StormOptions& options, StormShared& shared, Fd origin,
                       const Fd& not_theirs) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0)
        throw Error::from_errno("fork");
    if (pid_ > 0)
        return;
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(2);
    ::close(not_theirs.get());
    int status = 2;
    try {
        run_peers(options, shared, origin);
        status = 0;
    } catch (const std::exception& error) {
        std::cerr << std::string("libra-storm: the peers: ") + error.what() + "\n";
    }
    ::_exit(status);
}

bool StormPeers::wait(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    for (;;) {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) == pid_) {
            pid_ = -1;
            if (status != 0)
                throw Error("the peers ended with status " + std::to_string(status));
            return true;
        }
        if (std::chrono::steady_clock::now() >= end)
            return false;
        std::this_thread::sleep_for(10ms);
    }
}

StormPeers::~StormPeers() {
    if (pid_ < 0)
        return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

}  // namespace libra::test
