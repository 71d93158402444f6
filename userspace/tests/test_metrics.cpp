// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "metrics.h"
#include "unique_fd.h"

namespace libra {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A port that was free a moment ago.
std::uint16_t free_port() {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
}

bool listens(std::uint16_t port) {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

std::string at(std::uint16_t port) {
    return fmt::format("127.0.0.1:{}", port);
}

void move(MetricsPlace& place, const std::string& address) {
    const auto done = place.move_to(address);
    ASSERT_TRUE(done) << done.error().message();
    (*done)();
}

TEST(MetricsPlace, IsNowhereUntilItBegins) {
    MetricsPlace place;
    const std::uint16_t port = free_port();
    move(place, at(port));
    EXPECT_FALSE(listens(port));
    ASSERT_TRUE(place.begin());
    EXPECT_TRUE(listens(port));
    move(place, at(port));  // as it is
    EXPECT_TRUE(listens(port));
    move(place, "");
    EXPECT_FALSE(listens(port));
}

TEST(MetricsPlace, IsWhereItWasUntilItHasMoved) {
    MetricsPlace place;
    ASSERT_TRUE(place.begin());
    const std::uint16_t old = free_port();
    move(place, at(old));
    const std::uint16_t taken = free_port();
    MetricsPlace other;
    ASSERT_TRUE(other.begin());
    move(other, at(taken));
    EXPECT_FALSE(place.move_to(at(taken)));
    EXPECT_TRUE(listens(old));

    const std::uint16_t next = free_port();
    EXPECT_TRUE(place.move_to(at(next)));  // and then not done
    EXPECT_FALSE(listens(next));
    EXPECT_TRUE(listens(old));
    move(place, at(next));
    EXPECT_TRUE(listens(next));
    EXPECT_FALSE(listens(old));
}

}  // namespace
}  // namespace libra
