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
    int verdict;  // LIBRA_META, _PAYLOAD, _NEED_MORE, _PASS, 0: not asked about
    std::string bytes;
    std::uint64_t length;  // as announced; more than bytes if the rest never comes
    http1_event event;     // of a PASS
};

inline Segment meta(std::string bytes) {
    const auto size = bytes.size();
    return {LIBRA_META, std::move(bytes), size, HTTP1_EVENT_MAX};
}
inline Segment meta(std::string bytes, std::uint64_t announced) {
    return {LIBRA_META, std::move(bytes), announced, HTTP1_EVENT_MAX};
}
inline Segment payload(std::string bytes) {
    const auto size = bytes.size();
    return {LIBRA_PAYLOAD, std::move(bytes), size, HTTP1_EVENT_MAX};
}
inline Segment payload(std::string bytes, std::uint64_t announced) {
    return {LIBRA_PAYLOAD, std::move(bytes), announced, HTTP1_EVENT_MAX};
}
// Everything from here on is left alone.
inline Segment pass(http1_event why, std::string bytes) {
    return {LIBRA_PASS, std::move(bytes), 0, why};
}
// Ends in the middle of a header.
inline Segment more(std::string bytes) {
    return {LIBRA_NEED_MORE, std::move(bytes), 0, HTTP1_EVENT_MAX};
}
// Bytes of a direction that passed before.
inline Segment unseen(std::string bytes) {
    return {0, std::move(bytes), 0, HTTP1_EVENT_MAX};
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
std::vector<Vector> http1_header_vectors();  // headers that only some parsers take
std::vector<Vector> http1_vectors();         // all of them
