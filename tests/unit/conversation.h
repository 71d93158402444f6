// SPDX-License-Identifier: GPL-2.0-only
//
// Both directions of one attached socket as a parser sees them: feeds bytes the
// way the kernel does and writes down the answers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libra_host.h"

// One answer that moved the position or ended the direction.
struct Answer {
    int verdict = 0;
    int event = 0;            // what the parser says the answer is about
    std::uint64_t start = 0;  // offset in the direction's stream
    std::uint64_t length = 0;
    bool operator==(const Answer&) const = default;
};

// A parser of bpf/ as plain functions.
struct HostParser {
    int (*segment)(HostCtx& ctx);
    int (*event)(HostCtx& ctx);      // what its last answer was about
    bool (*reads_ahead)(int event);  // may such a segment end behind what is at hand?
};
// The event of a PASS of a parser that has no other: this and its reason.
constexpr int kReasonEvent = 1000;
extern const HostParser kHttp1;
extern const HostParser kRaw;
extern const HostParser kRedis;  // of bpf/examples
extern const HostParser kTls;

class Conversation {
  public:
    struct Stream {
        std::string bytes;
        std::vector<Answer> answers;
        std::uint64_t position = 0;  // may be past the end: a segment under way
        std::uint64_t wanted = 0;    // bytes that NEED_MORE asked for
        bool ended = false;          // passed, or payload until it closes
    };

    Conversation(const HostParser& parser, libra_role role, std::uint32_t flags);

    // More bytes in one direction.
    void feed(libra_dir dir, std::string_view bytes);

    const Stream& operator[](libra_dir dir) const { return streams_[dir]; }

    // How many bytes the parser's searches went over.
    std::uint64_t searched() const { return ctx_.searched; }

    // What no kernel would accept, in words; empty while all is well.
    const std::string& complaint() const { return complaint_; }

  private:
    void ask(libra_dir dir, Stream& stream);

    const HostParser& parser_;
    HostCtx ctx_{};
    std::array<Stream, 2> streams_;
    std::string complaint_;
};
