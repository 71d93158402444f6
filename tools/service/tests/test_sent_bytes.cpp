// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "sent_bytes.h"
#include "tcp_table.h"

namespace libra::service {
namespace {

using Sockets = std::vector<DiagSocket>;

Endpoint at(const char* text) {
    auto endpoint = parse_endpoint(text, Prefix::refused);
    return endpoint.value();
}

DiagSocket listener(std::uint64_t cookie, const char* local) {
    return {.cookie = cookie, .inode = cookie, .local = at(local), .listens = true};
}

DiagSocket connection(std::uint64_t cookie, const char* local, std::uint64_t sent,
                      std::uint64_t inode) {
    return {.cookie = cookie, .inode = inode, .local = at(local), .sent = sent};
}

TEST(SentBytes, CountFromTheFirstLookOn) {
    SentBytes sent;
    sent.look({}, Sockets{connection(1, "10.0.0.1:5000", 700, 11)}, {11});
    EXPECT_EQ(sent.total(), 0U);
    sent.look({}, Sockets{connection(1, "10.0.0.1:5000", 1000, 11)}, {11});
    EXPECT_EQ(sent.total(), 300U);
    // It is opened since, is closed but has not sent all, and ends.
    sent.look({}, Sockets{connection(2, "10.0.0.1:5001", 40, 12)}, {12});
    EXPECT_EQ(sent.total(), 340U);
    sent.look({}, Sockets{connection(2, "10.0.0.1:5001", 50, 0)}, {});
    sent.look(Sockets{connection(2, "10.0.0.1:5001", 60, 0)}, {}, {});
    EXPECT_EQ(sent.total(), 360U);
}

TEST(SentBytes, OthersDoNotCount) {
    SentBytes sent;
    sent.look({}, Sockets{connection(1, "10.0.0.1:80", 0, 11)}, {12});
    sent.look(Sockets{connection(2, "10.0.0.1:5001", 60, 0)},
              Sockets{connection(1, "10.0.0.1:80", 900, 11)}, {12});
    EXPECT_EQ(sent.total(), 0U);
}

TEST(SentBytes, WhatCameAndWentBelongsToItsListener) {
    for (const char* local : {"*:80", "0.0.0.0:80", "10.0.0.1:80"}) {
        SentBytes sent;
        sent.look({}, Sockets{listener(9, local)}, {9});
        sent.look(Sockets{connection(1, "10.0.0.1:80", 500, 0), connection(2, "10.0.0.1:81", 7, 0)},
                  {}, {9});
        EXPECT_EQ(sent.total(), 500U) << local;
    }
    SentBytes elsewhere;
    elsewhere.look({}, Sockets{listener(9, "10.0.0.2:80")}, {9});
    elsewhere.look(Sockets{connection(1, "10.0.0.1:80", 500, 0)}, {}, {9});
    EXPECT_EQ(elsewhere.total(), 0U);
}

TEST(TcpDiag, GarbageIsNoSocket) {
    DiagMessages messages;
    std::vector<std::byte> datagram(64, std::byte{0xff});
    read_messages(datagram, messages);
    for (std::size_t size = 0; size < datagram.size(); ++size) {
        std::vector<std::byte> part(size);
        const std::uint32_t length = static_cast<std::uint32_t>(size);
        if (size >= sizeof(length))
            std::memcpy(part.data(), &length, sizeof(length));
        read_messages(part, messages);
    }
    EXPECT_TRUE(messages.sockets.empty());
    EXPECT_FALSE(messages.done);
}

// A connection of this process with itself.
class Pair {
  public:
    Pair() {
        struct sockaddr_in address {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* name = reinterpret_cast<struct sockaddr*>(&address);
        socklen_t size = sizeof(address);
        const bool listening = !bind(listener.get(), name, size) && !listen(listener.get(), 1) &&
                               !getsockname(listener.get(), name, &size);
        if (listening && !connect(client.get(), name, size))
            server = UniqueFd(accept(listener.get(), nullptr, nullptr));
    }

    void server_sends(std::size_t size) const {
        const std::vector<char> data(size);
        std::thread reader([&] {
            std::vector<char> all(size);
            EXPECT_EQ(recv(client.get(), all.data(), size, MSG_WAITALL),
                      static_cast<ssize_t>(size));
        });
        EXPECT_EQ(send(server.get(), data.data(), size, 0), static_cast<ssize_t>(size));
        reader.join();
    }

    UniqueFd listener{socket(AF_INET, SOCK_STREAM, 0)};
    UniqueFd client{socket(AF_INET, SOCK_STREAM, 0)};
    UniqueFd server;
};

TEST(TcpDiag, TellsWhatThisProcessHasSent) {
    const auto opened = TcpDiag::open("/proc/self");
    if (!opened && geteuid() != 0)
        GTEST_SKIP() << opened.error().message();  // not without CAP_SYS_ADMIN
    ASSERT_TRUE(opened) << opened.error().message();
    const TcpDiag* diag = opened->get();
    SentBytes sent;
    Pair pair;
    ASSERT_TRUE(pair.server);
    const auto look = [&] {
        const auto ended = diag->ended();
        const auto open = diag->sockets();
        ASSERT_TRUE(ended);
        ASSERT_TRUE(open) << open.error().message();
        sent.look(*ended, *open, socket_inodes("/proc/self"));
    };
    look();
    const auto before = sent.total();
    pair.server_sends(1U << 20);
    look();
    EXPECT_EQ(sent.total() - before, 1U << 20);
    // The last of it is in what the kernel tells of a socket that has ended.
    pair.server_sends(5000);
    pair.client = UniqueFd();
    pair.server = UniqueFd();
    for (int tries = 0; tries < 50 && sent.total() - before < (1U << 20) + 5000; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        look();
    }
    EXPECT_EQ(sent.total() - before, (1U << 20) + 5000);
}

}  // namespace
}  // namespace libra::service
