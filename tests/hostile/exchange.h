// SPDX-License-Identifier: GPL-2.0-only
// One seeded run: a source, the hostile proxy and one or two sinks, all of them in
// this thread, which takes their steps in an order that the seed says.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "behaviour.h"
#include "common/blob.h"
#include "common/socket.h"
#include "forwarder.h"

namespace libra::test {

// What an HTTP/1 parser matches a response with.
inline const std::string kRequest = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

struct Ports {
    std::uint16_t listen = 0;      // the proxy's, attached
    std::uint16_t origin = 0;      // the origin's, attached
    std::uint16_t unattached = 0;  // no policy names it
    bool ktls = false;             // kernel TLS encrypts what is sent to clients and by origins
};

// Both ends of one of the proxy's connections.
struct Link {
    Fd proxy;
    Fd peer;
};

class Network {
  public:
    explicit Network(const Ports& ports);
    Link client() const;      // the proxy's end is accepted
    Link upstream() const;    // the proxy's end is connected
    Link unattached() const;  // accepted as well
    bool encrypts() const { return ports_.ktls; }

  private:
    Ports ports_;
    Fd listen_;
    Fd origin_;
    Fd unattached_;
};

struct Plan {
    bool http1 = false;
    bool framed = false;  // http1: the proxy sends chunks
    bool upload = false;  // raw: from the client to the origin
    Behaviours behaviours;
    std::size_t largest = 400'000;  // payload bytes of one message
};

// What arrived at the sinks.
struct Outcome {
    std::uint64_t payload = 0;  // bytes that the proxy read
    unsigned exact = 0;         // sinks with all of it
    unsigned aborted = 0;       // with a beginning, and a reset
    unsigned late = 0;          // of these: with up to four bytes of a VPI behind it
    unsigned vanished = 0;      // with a beginning: the peer was told to go
    unsigned edited = 0;        // with payload that is not what the application would send
    unsigned wrong = 0;         // anything else
    unsigned noticed = 0;       // of the edited and wrong ones: aborted, only too late
    std::uint64_t stale = 0;    // sinks that were sent stale memory
    std::uint64_t stale_bytes = 0;
    std::uint64_t tokens = 0;  // that were sent a VPI
    std::string complaint;     // about the first wrong one
};

class Exchange {
  public:
    Exchange(const Network& network, const Blob& blob, const std::string& magic, const Plan& plan,
             std::uint64_t seed);
    Outcome run();

  private:
    struct Segment {
        std::size_t length;
        bool payload;
        bool last;  // of its message
    };
    struct Sink {
        Fd proxy;
        Fd peer;
        std::size_t front_sent = 0;  // of the first piece
        std::string expected;        // what send() accepted, natively
        std::string attempted;       // what a send() that failed may have sent of
        std::string received;
        int send_error = 0;
        int receive_error = 0;
        bool ended = false;  // nothing more will be received
        bool vanished = false;
    };

    void plan_messages();
    void open();
    void start_message();
    bool step();
    bool source_sends();
    bool proxy_reads();
    void understand(Piece piece);
    bool proxy_sends(std::size_t at);
    bool sink_reads(std::size_t at);
    void end_reading();
    bool maybe_vanish(std::size_t at);
    bool over() const;
    bool is_late(const std::string& got, const std::string& possible) const;
    bool has_token(const std::string& got) const;
    void judge(std::size_t at, Outcome& outcome) const;

    const Network& network_;
    const Blob& blob_;
    Plan plan_;
    Random random_;
    std::string magic_;
    Forwarder forwarder_;
    std::string wire_;  // all that the source sends
    std::vector<Segment> segments_;
    std::size_t segment_ = 0;  // at which reading is
    std::size_t segment_taken_ = 0;
    unsigned messages_ = 0;
    Link source_;
    std::size_t wire_sent_ = 0;
    std::size_t wire_read_ = 0;
    bool reading_ = true;
    std::string memory_;  // that the proxy reads into
    std::array<Sink, kSinks> sinks_;
    std::set<std::string> seen_;  // the beginnings of all VPIs that were read
    std::string altered_;         // metadata that was not read as it was sent
};

}  // namespace libra::test
