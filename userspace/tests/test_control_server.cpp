// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "control_server.h"
#include "protocol.h"

namespace libra {
namespace {

// A server in its own thread that answers a line with itself, and a line of
// digits with that many bytes.
class ControlServerTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "libra-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
        path_ = directory_ / "socket";
    }

    void TearDown() override {
        if (thread_.joinable()) {
            const std::uint64_t one = 1;
            ASSERT_EQ(write(stop_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
            thread_.join();
        }
        server_.reset();
        EXPECT_FALSE(std::filesystem::exists(path_));
        lock_.reset();
        std::filesystem::remove_all(directory_);
    }

    void start() {
        auto lock = ControlLock::take(path_);
        ASSERT_TRUE(lock) << lock.error().message();
        lock_.emplace(std::move(lock).value());
        auto loop = EventLoop::create();
        ASSERT_TRUE(loop);
        loop_.emplace(std::move(loop).value());
        auto server = ControlServer::start(*lock_, *loop_, [](std::string_view line, bool trusted) {
            if (line == "who")
                return std::string(trusted ? "root\n" : "other\n");
            const std::string text(line);
            if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos)
                return std::string(std::stoul(text), 'x') + "\n";
            return text + "\n";
        });
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(server).value();
        stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
        ASSERT_TRUE(loop_->add(stop_.get(), EPOLLIN, [this](std::uint32_t) { loop_->stop(); }));
        thread_ = std::thread([this] { EXPECT_TRUE(loop_->run()); });
    }

    UniqueFd connect() const { return connect(stream()); }

    static UniqueFd stream() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

    UniqueFd connect(UniqueFd fd) const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.c_str(), path_.string().size());
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        const timeval timeout = {.tv_sec = 20, .tv_usec = 0};
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        return fd;
    }

    static void say(const UniqueFd& fd, const std::string& text) {
        send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }

    // Up to and without the newline; "<closed>" at the end of the stream.
    static std::string hear(const UniqueFd& fd) {
        std::string line;
        char c = 0;
        for (;;) {
            const ssize_t size = recv(fd.get(), &c, 1, 0);
            if (size <= 0)
                return line + (size == 0 ? "<closed>" : "<timeout>");
            if (c == '\n')
                return line;
            line += c;
        }
    }

    std::filesystem::path directory_;
    std::filesystem::path path_;
    std::optional<ControlLock> lock_;
    std::optional<EventLoop> loop_;
    std::unique_ptr<ControlServer> server_;
    UniqueFd stop_;
    std::thread thread_;
};

TEST_F(ControlServerTest, AnswersLinesHoweverTheyArrive) {
    start();
    const auto client = connect();
    say(client, "a\nb\nc");
    EXPECT_EQ(hear(client), "a");
    EXPECT_EQ(hear(client), "b");
    say(client, "d\n");
    EXPECT_EQ(hear(client), "cd");
}

TEST_F(ControlServerTest, AnswersWhoHasFinishedSending) {
    start();
    const auto client = connect();
    say(client, "a\nb\nrest");
    shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(hear(client), "a");
    EXPECT_EQ(hear(client), "b");
    EXPECT_EQ(hear(client), "<closed>");
}

TEST_F(ControlServerTest, OnlyTheOwnerMayConnect) {
    start();
    struct stat info {};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(ControlServerTest, KnowsWhoAsks) {
    start();
    const UniqueFd client = connect();
    say(client, "who\n");
    EXPECT_EQ(hear(client), getuid() == 0 ? "root" : "other");
}

TEST_F(ControlServerTest, EndlessLineIsRefused) {
    start();
    const auto client = connect();
    say(client, std::string(kMaxLine + 1, 'a'));
    const auto answer = parse_answer(hear(client));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message(), "a request is at most 524288 bytes long");
    EXPECT_EQ(hear(client), "<closed>");
}

TEST_F(ControlServerTest, LongestLineIsAnswered) {
    start();
    const auto client = connect();
    const std::string line(kMaxLine, 'a');
    say(client, line + "\n");
    EXPECT_EQ(hear(client), line);
}

TEST_F(ControlServerTest, ClientThatDoesNotReadHoldsNobodyUp) {
    start();
    const auto lazy = connect();
    say(lazy, "8000000\nafter\n");
    const auto other = connect();
    say(other, "hello\n");
    EXPECT_EQ(hear(other), "hello");
    EXPECT_EQ(hear(lazy).size(), 8000000U);
    EXPECT_EQ(hear(lazy), "after");
}

TEST_F(ControlServerTest, IdleClientsMakeRoom) {
    start();
    std::vector<UniqueFd> clients;
    for (std::size_t i = 0; i < ControlServer::kMaxClients; ++i) {
        clients.push_back(connect());
        say(clients.back(), "x\n");
        EXPECT_EQ(hear(clients.back()), "x");
    }
    say(clients[0], "still here\n");
    EXPECT_EQ(hear(clients[0]), "still here");
    const auto late = connect();
    say(late, "late\n");
    EXPECT_EQ(hear(late), "late");
    EXPECT_EQ(hear(clients[1]), "<closed>");
    say(clients[0], "and still\n");
    EXPECT_EQ(hear(clients[0]), "and still");
}

// As many descriptors as are open now, for as long as this lives.
class NoMoreDescriptors {
  public:
    NoMoreDescriptors() {
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old_), 0);
        const UniqueFd lowest_free(eventfd(0, EFD_CLOEXEC));
        const rlimit limit = {.rlim_cur = static_cast<rlim_t>(lowest_free.get()),
                              .rlim_max = old_.rlim_max};
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
    ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &old_); }

  private:
    rlimit old_{};
};

TEST_F(ControlServerTest, QuietestClientMakesRoomWhenDescriptorsEnd) {
    start();
    std::vector<UniqueFd> clients;
    for (const char* name : {"a", "b"}) {
        clients.push_back(connect());
        say(clients.back(), name + std::string("\n"));
        EXPECT_EQ(hear(clients.back()), name);
    }
    UniqueFd late = stream();
    const NoMoreDescriptors limit;
    late = connect(std::move(late));
    say(late, "late\n");
    EXPECT_EQ(hear(late), "late");
    EXPECT_EQ(hear(clients[0]), "<closed>");
    say(clients[1], "still here\n");
    EXPECT_EQ(hear(clients[1]), "still here");
}

TEST_F(ControlServerTest, WhoCannotBeAcceptedIsWaitedForWithoutSpinning) {
    start();
    UniqueFd waiting = stream();
    {
        const NoMoreDescriptors limit;
        waiting = connect(std::move(waiting));
        say(waiting, "waiting\n");
        const auto cpu_ms = [] {
            rusage usage{};
            getrusage(RUSAGE_SELF, &usage);
            return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
        };
        const auto before = cpu_ms();
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        EXPECT_LT(cpu_ms() - before, 100);
    }
    const auto next = connect();
    say(next, "next\n");
    EXPECT_EQ(hear(next), "next");
    EXPECT_EQ(hear(waiting), "waiting");
}

TEST_F(ControlServerTest, ClientsThatVanishDoNoHarm) {
    start();
    for (int i = 0; i < 100; ++i)
        say(connect(), "1000000\n");
    const auto client = connect();
    say(client, "fine\n");
    EXPECT_EQ(hear(client), "fine");
}

TEST_F(ControlServerTest, SecondServerIsRefused) {
    start();
    const auto second = ControlLock::take(path_);
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().message().starts_with("another librad already serves "));
    const auto client = connect();  // and the first one is not disturbed
    say(client, "a\n");
    EXPECT_EQ(hear(client), "a");
}

TEST_F(ControlServerTest, StaleSocketIsReplaced) {
    UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.string().size());
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    start();
    const auto client = connect();
    say(client, "a\n");
    EXPECT_EQ(hear(client), "a");
}

TEST_F(ControlServerTest, FileInTheWayIsKept) {
    std::ofstream(path_) << "precious";
    EXPECT_FALSE(ControlLock::take(path_));
    EXPECT_TRUE(std::filesystem::remove(path_));
}

TEST_F(ControlServerTest, PathsHaveALimit) {
    EXPECT_FALSE(ControlLock::take(std::string(200, 'x')));
    EXPECT_FALSE(ControlLock::take(""));
}

}  // namespace
}  // namespace libra
