// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "explain.h"

namespace libra {
namespace {

constexpr pid_t kProxy = 700;
constexpr std::uint64_t kClientInode = 11;
constexpr std::uint64_t kUpstreamInode = 12;

Endpoint at(const char* text) {
    return *parse_endpoint(text, Prefix::refused);
}

const TcpSocket kToClient{at("10.0.0.1:80"), at("192.0.2.7:4711"), 1, kClientInode};
const TcpSocket kToUpstream{at("10.0.0.1:5555"), at("10.0.0.9:8080"), 1, kUpstreamInode};

Process proxy() {
    Process process;
    process.pid = kProxy;
    process.name = "nginx";
    process.cgroup = "/system.slice/nginx.service";
    process.session = 70;
    process.sockets = {kClientInode, kUpstreamInode};
    return process;
}

KernelSocket attachment(const TcpSocket& connection, bool client) {
    KernelSocket socket;
    socket.local = connection.local;
    socket.peer = connection.peer;
    socket.inode = connection.inode;
    socket.client = client;
    socket.mode = "token";
    socket.domain = "1";
    socket.policy = 2;
    socket.parser = "http1";
    socket.rx.state = socket.tx.state = "boundary";
    return socket;
}

class Explain : public testing::Test {
  protected:
    Explain() {
        facts_.loaded = true;
        facts_.processes = {proxy()};
        facts_.connections = {kToClient, kToUpstream};
    }

    void attach_both() {
        facts_.attached = {attachment(kToClient, true), attachment(kToUpstream, false)};
        upstream().rx.payload = 12'300'000;
        upstream().rx.kept = 12'140'000;
    }
    KernelSocket& client() { return facts_.attached[0]; }
    KernelSocket& upstream() { return facts_.attached[1]; }

    PayloadStream& lazy() {
        PayloadProcess process;
        process.pid = kProxy;
        process.limit = 1000;
        PayloadStream stream;
        stream.port = kToUpstream.local.port;
        stream.peer_port = kToUpstream.peer.port;
        stream.scores = {-1, -1, -1};
        stream.lazy = 16;
        process.streams = {stream};
        facts_.payload = {process};
        return facts_.payload[0].streams[0];
    }

    static std::string text(const Explanation& explanation, std::string_view code) {
        for (const Finding& finding : explanation.findings) {
            if (finding.code == code)
                return finding.text;
        }
        return "";
    }

    Facts facts_;
};

TEST_F(Explain, WithoutTheModule) {
    facts_.loaded = false;
    const auto said = explain(facts_, kToClient);
    EXPECT_TRUE(said.has("not_loaded"));
    EXPECT_EQ(said.verdict, Verdict::no);
}

TEST_F(Explain, WhatMayNotBeReadIsNotSaidToBeMissing) {
    facts_.attached_known = facts_.payload_known = false;
    const auto said = explain(facts_, kToClient);
    EXPECT_TRUE(said.has("not_known"));
    EXPECT_FALSE(said.has("not_attached"));
    EXPECT_EQ(said.verdict, Verdict::unknown);
    EXPECT_EQ(explain_process(facts_, facts_.processes[0]).front().code, "not_known");
}

TEST_F(Explain, AttachedAndKept) {
    attach_both();
    const auto said = explain(facts_, kToUpstream);
    EXPECT_EQ(said.verdict, Verdict::yes);
    EXPECT_EQ(said.service, "nginx.service");
    EXPECT_EQ(text(said, "attached"),
              "attached by policy 2 (http1, domain 1, token), towards an upstream");
    EXPECT_EQ(text(said, "kept"), "responses: 98.7 % of 12.3 MB kept in the kernel");
    EXPECT_TRUE(said.has("requests_copied"));
}

TEST_F(Explain, Passes) {
    attach_both();
    client().rx.state = "pass";
    client().rx.why = "fallback_parser_pass";
    const auto said = explain(facts_, kToClient);
    EXPECT_EQ(said.verdict, Verdict::no);
    EXPECT_NE(text(said, "passes").find("requests (no payload yet): passes"), std::string::npos);
    EXPECT_NE(text(said, "passes").find("[fallback_parser_pass]"), std::string::npos);
}

TEST_F(Explain, HeldByAClientOfItsDomain) {
    attach_both();
    client().passing = "fallback_parser_pass";
    client().passing_seconds = 12;
    client().used = true;
    const auto said = explain(facts_, kToUpstream);
    EXPECT_EQ(said.verdict, Verdict::partly);
    EXPECT_NE(text(said, "held_by_client").find("192.0.2.7:4711"), std::string::npos);

    client().domain = "2";
    EXPECT_FALSE(explain(facts_, kToUpstream).has("held_by_client")) << "another domain";
    client().sessions = {70};
    EXPECT_TRUE(explain(facts_, kToUpstream).has("held_by_client")) << "the same session";
    client().sessions = {71};
    EXPECT_FALSE(explain(facts_, kToUpstream).has("held_by_client")) << "another session";
    client().used = false;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("held_by_client")) << "used by nobody yet";
    client().client = false;
    EXPECT_FALSE(explain(facts_, kToUpstream).has("held_by_client")) << "an upstream";
}

TEST_F(Explain, TheOldestHolderIsNamed) {
    attach_both();
    client().passing = "fallback_ulp";
    auto older = client();
    older.peer = at("192.0.2.8:1");
    older.passing_seconds = 99;
    facts_.attached.push_back(older);
    const auto said = text(explain(facts_, kToUpstream), "held_by_client");
    EXPECT_NE(said.find("192.0.2.8:1"), std::string::npos) << said;
    EXPECT_NE(said.find("and 1 more"), std::string::npos) << said;
}

TEST_F(Explain, Stranger) {
    attach_both();
    client().stranger = true;
    client().domain = "-";
    client().passing = "fallback_stranger";
    client().sessions = {70};
    client().used = true;
    EXPECT_TRUE(explain(facts_, kToClient).has("stranger"));
    EXPECT_EQ(explain(facts_, kToClient).verdict, Verdict::no);
    EXPECT_NE(text(explain(facts_, kToUpstream), "held_by_client").find("which no policy names"),
              std::string::npos);
}

TEST_F(Explain, SwitchedOff) {
    attach_both();
    facts_.settings.token = false;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("off_by_sysctl"));
    EXPECT_EQ(explain(facts_, kToUpstream).verdict, Verdict::partly);
    facts_.settings = {};
    facts_.settings.unattached = 3;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("unattached"));
    facts_.settings = {};
    upstream().mode = "dry-run";
    EXPECT_TRUE(explain(facts_, kToUpstream).has("dry_run"));
}

TEST_F(Explain, NotAttachedAndNoPayloadMemory) {
    EXPECT_TRUE(explain(facts_, kToClient).has("not_attached"));
    EXPECT_TRUE(explain(facts_, kToClient).has("no_preload"));
    facts_.processes[0].preloads = true;
    EXPECT_TRUE(explain(facts_, kToClient).has("not_preloaded"));
    facts_.processes[0].library = true;
    EXPECT_TRUE(explain(facts_, kToClient).has("no_device"));
    EXPECT_EQ(explain(facts_, kToClient).verdict, Verdict::no);
    facts_.processes.clear();
    EXPECT_TRUE(explain(facts_, kToClient).has("no_owner"));
}

TEST_F(Explain, Lazy) {
    lazy();
    auto said = explain(facts_, kToUpstream);
    EXPECT_EQ(said.verdict, Verdict::yes);
    EXPECT_TRUE(said.has("lazy_pages"));
    said = explain(facts_, kToClient);
    EXPECT_EQ(said.verdict, Verdict::unknown);
    EXPECT_TRUE(said.has("no_stream"));
}

TEST_F(Explain, LazyBackedOff) {
    lazy().scores = {16, -1, -1};
    EXPECT_EQ(explain(facts_, kToUpstream).verdict, Verdict::yes) << "that is the header";
    lazy().scores = {16, 3, 4};
    auto said = explain(facts_, kToUpstream);
    EXPECT_EQ(said.verdict, Verdict::partly);
    EXPECT_NE(text(said, "backed_off").find("copied: up to 16 KB, up to 32 KB"), std::string::npos);

    auto& stream = lazy();
    stream.pauses = 2;
    stream.lazy = 0;
    stream.copied_until = 65536;
    said = explain(facts_, kToUpstream);
    EXPECT_EQ(said.verdict, Verdict::no);
    EXPECT_NE(text(said, "paused").find("up to byte 65536"), std::string::npos);
}

TEST_F(Explain, LazyButNot) {
    lazy();
    facts_.settings.lazy = false;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("off_by_sysctl"));
    EXPECT_EQ(explain(facts_, kToUpstream).verdict, Verdict::no);
    facts_.settings.lazy = true;
    facts_.payload[0].locked = true;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("locked"));
    facts_.payload[0].locked = false;
    facts_.payload[0].charge = 950;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("process_limit"));
    facts_.payload[0].charge = 10;
    EXPECT_FALSE(explain(facts_, kToUpstream).has("process_limit"));
    facts_.payload[0].native = true;
    EXPECT_TRUE(explain(facts_, kToUpstream).has("protection_changed"));
    facts_.stats = {{"lazy_rx_bytes", 100}, {"fallback_lazy_shared_frag", 50}};
    EXPECT_TRUE(explain(facts_, kToUpstream).has("shared_frags"));
}

TEST(ConnectionName, NamesEitherEnd) {
    for (const char* text : {"10.0.0.1:80", ":80", "192.0.2.7:4711", ":4711",
                             "10.0.0.1:80-192.0.2.7:4711", ":80-:4711"})
        EXPECT_TRUE(ConnectionName::parse(text)->names(kToClient)) << text;
    for (const char* text : {"10.0.0.1:81", "10.0.0.2:80", "192.0.2.7:4711-10.0.0.1:80", ":80-:1"})
        EXPECT_FALSE(ConnectionName::parse(text)->names(kToClient)) << text;
    for (const char* text : {"", "x", "1.2.3.4", "1.2.3.4:99999", ":80-", "-:80", ":80-:x"})
        EXPECT_FALSE(ConnectionName::parse(text)) << text;
}

}  // namespace
}  // namespace libra
