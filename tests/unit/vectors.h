// SPDX-License-Identifier: GPL-2.0-only
//
// Vectors: conversations with a parser, written as the segments that it is to
// find. Their bytes, put together, are the input, so nobody counts bytes.
#pragma once

#include <linux/libra.h>

#include <cstdint>
#include <string>
#include <vector>

#include "conversation.h"

// Where the parser may say what it likes.
constexpr int kAnyEvent = -1;

struct Segment {
    int verdict;  // enum libra_verdict, 0: not asked about
    std::string bytes;
    std::uint64_t length;  // as announced; more than bytes if the rest never comes
    int event;             // of a PASS
    int anchored;          // the verdict where request bodies are anchored
};

inline Segment segment(int verdict, std::string bytes) {
    const auto size = bytes.size();
    return {verdict, std::move(bytes), size, kAnyEvent, verdict};
}

inline Segment meta(std::string bytes) {
    return segment(LIBRA_META, std::move(bytes));
}
inline Segment framing(std::string bytes) {
    return segment(LIBRA_FRAMING, std::move(bytes));
}
inline Segment payload(std::string bytes) {
    return segment(LIBRA_PAYLOAD, std::move(bytes));
}
inline Segment part(std::string bytes) {
    return segment(LIBRA_PAYLOAD_PART, std::move(bytes));
}
// The rest of it has not come.
inline Segment of(std::uint64_t announced, Segment s) {
    s.length = announced;
    return s;
}
// Metadata only because it is part of a request on its way in.
inline Segment copied(Segment s) {
    s.anchored = s.verdict;
    s.verdict = LIBRA_META;
    return s;
}
// Payload from here on.
inline Segment rest(std::string bytes) {
    return {LIBRA_PAYLOAD_UNTIL_CLOSE, std::move(bytes), 0, kAnyEvent, LIBRA_PAYLOAD_UNTIL_CLOSE};
}
// Everything from here on is left alone.
inline Segment pass(int why, std::string bytes) {
    return {LIBRA_PASS, std::move(bytes), 0, why, LIBRA_PASS};
}
// Ends in the middle of a header.
inline Segment more(std::string bytes) {
    return {LIBRA_NEED_MORE, std::move(bytes), 0, kAnyEvent, LIBRA_NEED_MORE};
}
// Bytes of a direction that passed before.
inline Segment unseen(std::string bytes) {
    return {0, std::move(bytes), 0, kAnyEvent, 0};
}

struct Step {
    bool request;  // what the client says, whatever the role
    std::vector<Segment> segments;
};

struct Vector {
    std::string name;
    libra_role role;
    std::uint32_t flags;
    std::vector<Step> steps;
    const HostParser* parser = nullptr;
};

inline Step request(std::vector<Segment> segments) {
    return {true, std::move(segments)};
}
inline Step response(std::vector<Segment> segments) {
    return {false, std::move(segments)};
}

inline libra_dir direction(libra_role role, bool request) {
    return request == (role == LIBRA_ROLE_PASSIVE) ? LIBRA_INGRESS : LIBRA_EGRESS;
}

std::string text_of(const Step& step);

// The tables, each of one parser.
std::vector<Vector> of_parser(const HostParser& parser, std::vector<Vector> vectors);
