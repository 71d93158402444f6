// SPDX-License-Identifier: GPL-2.0-only
// What the kernel's files say, and whatever else could stand in them.
#include <gtest/gtest.h>

#include <string>

#include "kernel_payload.h"
#include "kernel_sockets.h"
#include "proc_fields.h"

namespace libra {
namespace {

const std::string kSocket =
    "socket local=198.51.100.1:80 peer=[2001:db8::7]:4711 inode=31337 role=client mode=token "
    "domain=1 policy=2 parser=http1 stranger=0 requests=1 rx=pass rx_why=fallback_parser_pass "
    "rx_payload=5 rx_kept=0 tx=payload tx_left=4096 tx_payload=90112 tx_kept=86016 tls_rx=0 "
    "tls_tx=1 charge=77 held_by=3 unused=1 passing=fallback_parser_pass passing_s=12 used=1 "
    "sessions=12,0,99\n";

Result<std::vector<KernelSocket>> sockets(const std::string& lines) {
    return parse_kernel_sockets("libra_sockets 1\n" + lines);
}

TEST(KernelSockets, AllFieldsAreRead) {
    const auto read = sockets(kSocket);
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(read->size(), 1U);
    const KernelSocket& socket = read->front();
    EXPECT_EQ(format_endpoint(socket.local), "198.51.100.1:80");
    EXPECT_EQ(format_endpoint(socket.peer), "[2001:db8::7]:4711");
    EXPECT_EQ(socket.inode, 31337U);
    EXPECT_TRUE(socket.client);
    EXPECT_EQ(socket.mode, "token");
    EXPECT_EQ(socket.domain, "1");
    EXPECT_EQ(socket.policy, 2U);
    EXPECT_EQ(socket.parser, "http1");
    EXPECT_FALSE(socket.stranger);
    EXPECT_TRUE(socket.requests);
    EXPECT_TRUE(socket.rx.passes());
    EXPECT_EQ(socket.rx.why, "fallback_parser_pass");
    EXPECT_EQ(socket.rx.payload, 5U);
    EXPECT_EQ(socket.tx.payload, 90112U);
    EXPECT_EQ(socket.tx.kept, 86016U);
    EXPECT_TRUE(socket.tls_tx);
    EXPECT_EQ(socket.charge, 77);
    EXPECT_EQ(socket.held_by, 3);
    EXPECT_EQ(socket.unused, 1);
    EXPECT_EQ(socket.passing, "fallback_parser_pass");
    EXPECT_EQ(socket.passing_seconds, 12U);
    EXPECT_TRUE(socket.used);
    EXPECT_EQ(socket.sessions, (std::vector<pid_t>{12, 0, 99}));
    EXPECT_EQ(&socket.requests_of(), &socket.rx);
    EXPECT_EQ(&socket.responses_of(), &socket.tx);
}

TEST(KernelSockets, NoneAreNone) {
    const auto read = sockets("");
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->empty());
}

TEST(KernelSockets, LaterKeysAreIgnored) {
    const auto read =
        sockets("socket local=1.2.3.4:1 peer=1.2.3.4:2 role=upstream new=what,ever=x\n");
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_FALSE(read->front().client);
    EXPECT_TRUE(read->front().passing.empty());
}

TEST(KernelSockets, NumbersThatAreNoneAre0) {
    const auto read = sockets(
        "socket local=1.2.3.4:1 peer=1.2.3.4:2 role=client inode=-1 policy=4294967296 charge=1x "
        "rx_kept=18446744073709551616 sessions=a,,7,99999999999\n");
    ASSERT_TRUE(read);
    const KernelSocket& socket = read->front();
    EXPECT_EQ(socket.inode, 0U);
    EXPECT_EQ(socket.policy, 0U);
    EXPECT_EQ(socket.charge, 0);
    EXPECT_EQ(socket.rx.kept, 0U);
    EXPECT_EQ(socket.sessions, std::vector<pid_t>{7});
}

TEST(KernelSockets, HostileContentIsRefused) {
    for (const std::string& lines : {
             std::string("socket local=x peer=1.2.3.4:2 role=client\n"),
             std::string("socket local=1.2.3.4:1 peer=1.2.3.4:2 role=king\n"),
             std::string("socket local=1.2.3.4:1 role=client\n"),
             std::string("sucket local=1.2.3.4:1 peer=1.2.3.4:2 role=client\n"),
             std::string("\n"),
             std::string("role=client\n"),
             std::string("socket role\n"),
             std::string("socket =client\n"),
             std::string("socket role=client role=client\n"),
             std::string("socket local=1.2.3.4:1 peer=1.2.3.4:2 role=client mode=\x1b[2J\n"),
             std::string("socket local=1.2.3.4:1 peer=1.2.3.4:2 role=client mode=\0\n", 59),
             "socket local=1.2.3.4:1 peer=1.2.3.4:2 role=client x=" + std::string(5000, 'x') + "\n",
             kSocket.substr(0, kSocket.size() / 2),
         })
        EXPECT_FALSE(sockets(lines)) << lines;
}

TEST(KernelSockets, AnotherVersionIsRefused) {
    for (const char* text : {"", "\n", "libra_sockets 2\n", "libra_payload 1\n", "libra_sockets 1"})
        EXPECT_FALSE(parse_kernel_sockets(text)) << text;
}

TEST(KernelSockets, WhatIsNotPrintableIsNotInTheError) {
    const auto read = sockets("socket \x1b[2J\n");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message().find('\x1b'), std::string::npos);
}

TEST(KernelPayload, ProcessesHaveTheirStreams) {
    const auto read = parse_kernel_payload(
        "libra_payload 1\n"
        "process pid=254 mapped=67108864 charge=9 limit=268435456 at_limit=4 locked=0 native=1\n"
        "stream pid=254 port=40112 peer_port=8080 lazy=319 touched=256 pauses=2 "
        "copied_until=65536 trial=1 seconds=3 origin=59 scores=-1,-3,16\n"
        "process pid=300 mapped=1 charge=0 limit=1 at_limit=0 locked=1 native=0\n");
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(read->size(), 2U);
    const PayloadProcess& process = read->front();
    EXPECT_EQ(process.at_limit, 4U);
    EXPECT_TRUE(process.native);
    EXPECT_FALSE(process.locked);
    const PayloadStream* stream = process.stream(40112, 8080);
    ASSERT_TRUE(stream);
    EXPECT_EQ(stream->lazy, 319U);
    EXPECT_EQ(stream->touched, 256U);
    EXPECT_EQ(stream->copied_until, 65536U);
    EXPECT_TRUE(stream->trial);
    EXPECT_EQ(stream->scores, (std::vector<int>{-1, -3, 16}));
    EXPECT_FALSE(process.stream(8080, 40112));
    EXPECT_TRUE(read->back().locked);
}

TEST(KernelPayload, HostileContentIsRefused) {
    for (const char* lines :
         {"process mapped=1\n", "process pid=-1\n", "stream pid=0 port=1\n", "thing pid=1\n",
          "process pid=1 pid=2\n", "process pid=99999999999\n"})
        EXPECT_FALSE(parse_kernel_payload(std::string("libra_payload 1\n") + lines)) << lines;
}

TEST(KernelPayload, AStreamWhoseProcessIsGoneIsLeftOut) {
    const auto read = parse_kernel_payload("libra_payload 1\nstream pid=7 port=1 peer_port=2\n");
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->empty());
}

}  // namespace
}  // namespace libra
