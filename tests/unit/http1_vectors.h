// SPDX-License-Identifier: GPL-2.0-only
//
// The table of HTTP/1 conversations and how each is to be cut. A vector is
// written as its segments: their bytes, put together, are the input.
#pragma once

#include <linux/libra.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/http1_events.h"

struct Segment {
    int verdict;  // enum libra_verdict, 0: not asked about
    std::string bytes;
    std::uint64_t length;  // as announced; more than bytes if the rest never comes
    http1_event event;     // of a PASS
    int anchored;          // the verdict where request bodies are anchored
};

inline Segment segment(int verdict, std::string bytes) {
    const auto size = bytes.size();
    return {verdict, std::move(bytes), size, HTTP1_EVENT_MAX, verdict};
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
    return {LIBRA_PAYLOAD_UNTIL_CLOSE, std::move(bytes), 0, HTTP1_EVENT_MAX,
            LIBRA_PAYLOAD_UNTIL_CLOSE};
}
// Everything from here on is left alone.
inline Segment pass(http1_event why, std::string bytes) {
    return {LIBRA_PASS, std::move(bytes), 0, why, LIBRA_PASS};
}
// Like rest(), but a request on its way in.
inline Segment copied_rest(std::string bytes) {
    return {LIBRA_PASS, std::move(bytes), 0, HTTP1_PASS_TUNNEL, LIBRA_PAYLOAD_UNTIL_CLOSE};
}
// Ends in the middle of a header.
inline Segment more(std::string bytes) {
    return {LIBRA_NEED_MORE, std::move(bytes), 0, HTTP1_EVENT_MAX, LIBRA_NEED_MORE};
}
// Bytes of a direction that passed before.
inline Segment unseen(std::string bytes) {
    return {0, std::move(bytes), 0, HTTP1_EVENT_MAX, 0};
}

struct Step {
    bool request;  // which direction, independent of the role
    std::vector<Segment> segments;
};

struct Vector {
    std::string name;
    libra_role role;
    std::uint32_t flags;
    std::vector<Step> steps;
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

std::vector<Vector> http1_shape_vectors();   // messages and how they pair
std::vector<Vector> http1_chunk_vectors();   // chunked bodies
std::vector<Vector> http1_header_vectors();  // headers that only some parsers take
std::vector<Vector> http1_vectors();         // all of them
