// SPDX-License-Identifier: GPL-2.0-only
// libra-bench-pages: what a call costs for each page of payload more, in whatever memory
// malloc() gives. Under bench/pages a nanosecond is an instruction.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/fd.h"

namespace {

using libra::test::Error;
using libra::test::Fd;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHeader = 200;  // in front of the payload, as a proxy's own
constexpr std::size_t kFew = 4;       // pages: the cost of a page is a slope between these two
constexpr std::size_t kMany = 12;

void need(bool done, const char* what) {
    if (!done)
        throw Error::from_errno(what);
}

Fd opened(int fd, const char* what) {
    need(fd >= 0, what);
    return Fd(fd);
}

struct Connection {
    Fd near;
    Fd far;
};

Connection connection() {
    const Fd listener = opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* address = reinterpret_cast<sockaddr*>(&at);
    need(bind(listener.get(), address, size) == 0, "bind");
    need(listen(listener.get(), 1) == 0, "listen");
    need(getsockname(listener.get(), address, &size) == 0, "getsockname");
    Fd near = opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    need(connect(near.get(), address, size) == 0, "connect");
    Fd far = opened(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept");
    const int one = 1;
    for (const Fd* end : {&near, &far})
        need(setsockopt(end->get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0,
             "TCP_NODELAY");
    return {std::move(near), std::move(far)};
}

double now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double took(const std::function<void()>& call) {
    const double begin = now();
    call();
    return now() - begin;
}

double median(std::vector<double>& samples) {
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    return *middle;
}

void touch(const char* begin, const char* end) {
    for (const volatile char* at = begin; at < end; at += kPage)
        static_cast<void>(*at);
}

struct Costs {
    std::vector<double> receive, send, look;
};

// What a proxy does: all that is there in one call, the beginning of which it reads; then a
// header of its own and what it received. With @looks it has looked at everything in the end,
// which is what the next recv() finds.
Costs forward(std::size_t pages, std::size_t rounds, bool looks) {
    const Connection up = connection();
    const Connection down = connection();
    const std::size_t size = kHeader + pages * kPage;
    const std::size_t most = 64 << 10;
    std::vector<char> buffer(most);  // by malloc(), in the end
    std::vector<char> sink(most);
    const std::vector<char> source(size, 'x');
    Costs costs;
    for (std::size_t i = 0; i < rounds; i++) {
        need(send(up.far.get(), source.data(), size, 0) == static_cast<ssize_t>(size), "send");
        // Whatever the loopback's softirq leaves to others happens now.
        usleep(100);
        ssize_t got = 0;
        const double received =
            took([&] { got = recv(up.near.get(), buffer.data(), most, MSG_DONTWAIT); });
        if (got != static_cast<ssize_t>(size))
            throw Error("recv() gave " + std::to_string(got));
        const std::string header(buffer.data(), kHeader);
        iovec parts[2] = {{const_cast<char*>(header.data()), header.size()},
                          {buffer.data() + kHeader, size - kHeader}};
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        ssize_t gone = 0;
        const double sent = took([&] { gone = sendmsg(down.near.get(), &message, 0); });
        need(gone == static_cast<ssize_t>(size), "sendmsg");
        need(recv(down.far.get(), sink.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size),
             "recv");
        // Behind the first and before the last, which are no whole pages of payload.
        if (looks)
            costs.look.push_back(
                took([&] { touch(buffer.data() + kPage, buffer.data() + kPage * (pages - 1)); }));
        if (std::memcmp(sink.data(), source.data(), size) != 0)
            throw Error("other bytes came out");
        costs.receive.push_back(received);
        costs.send.push_back(sent);
    }
    return costs;
}

// The same by splice(), of payload alone: what TCP itself does for a page.
Costs splice_on(std::size_t pages, std::size_t rounds) {
    const Connection up = connection();
    const Connection down = connection();
    int ends[2];
    need(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    const Fd out(ends[0]);
    const Fd in(ends[1]);
    const std::size_t size = pages * kPage;
    const std::vector<char> source(size, 'x');
    std::vector<char> sink(size);
    Costs costs;
    for (std::size_t i = 0; i < rounds; i++) {
        need(send(up.far.get(), source.data(), size, 0) == static_cast<ssize_t>(size), "send");
        usleep(100);
        ssize_t got = 0;
        costs.receive.push_back(took([&] {
            got = splice(up.near.get(), nullptr, in.get(), nullptr, size, SPLICE_F_NONBLOCK);
        }));
        need(got == static_cast<ssize_t>(size), "splice from a socket");
        costs.send.push_back(
            took([&] { got = splice(out.get(), nullptr, down.near.get(), nullptr, size, 0); }));
        need(got == static_cast<ssize_t>(size), "splice to a socket");
        need(recv(down.far.get(), sink.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size),
             "recv");
    }
    return costs;
}

Costs first_touch(std::size_t pages, std::size_t rounds) {
    Costs costs;
    for (std::size_t i = 0; i < rounds; i++) {
        void* memory = mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        need(memory != MAP_FAILED, "mmap");
        madvise(memory, pages * kPage, MADV_NOHUGEPAGE);
        auto* begin = static_cast<volatile char*>(memory);
        costs.look.push_back(took([&] {
            for (std::size_t page = 0; page < pages; page++)
                begin[page * kPage] = 1;
        }));
        munmap(memory, pages * kPage);
    }
    return costs;
}

struct Slopes {
    double receive = 0;
    double send = 0;
    double look = 0;
};

double slope(std::vector<double>& few, std::vector<double>& many) {
    return few.empty() ? 0 : (median(many) - median(few)) / static_cast<double>(kMany - kFew);
}

// Both sizes, the first of which warms up for the second.
Slopes of_both(std::size_t rounds, const std::function<Costs(std::size_t, std::size_t)>& measure) {
    Costs few = measure(kFew, rounds);
    Costs many = measure(kMany, rounds);
    return {slope(few.receive, many.receive), slope(few.send, many.send),
            slope(few.look, many.look)};
}

int run(int argc, char** argv) {
    CLI::App app(
        "What recv() and sendmsg() cost for each page of payload more, in memory of malloc(); "
        "with\n"
        "--looks, what looking at one does: a JSON object, in ns a page. See bench/pages.");
    std::size_t rounds = 1000;
    bool looks = false;
    app.add_option("--rounds", rounds, "of each of two sizes")
        ->check(CLI::Range(std::size_t{10}, std::size_t{1000000}))
        ->capture_default_str();
    app.add_flag("--looks", looks, "each page is looked at when it has been sent");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    const auto forwarded = of_both(
        rounds, [looks](std::size_t pages, std::size_t n) { return forward(pages, n, looks); });
    nlohmann::json result;
    if (looks) {
        result["receive_again"] = forwarded.receive;
        result["look"] = forwarded.look;
        result["first_touch"] = of_both(rounds, first_touch).look;
    } else {
        const auto spliced = of_both(rounds, splice_on);
        result["receive"] = forwarded.receive;
        result["send"] = forwarded.send;
        result["splice_in"] = spliced.receive;
        result["splice_out"] = spliced.send;
    }
    std::cout << result << "\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "libra-bench-pages: " << error.what() << "\n";
        return 1;
    }
}
