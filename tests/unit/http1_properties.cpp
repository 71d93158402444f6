// SPDX-License-Identifier: GPL-2.0-only
#include "http1_properties.h"

#include <algorithm>

#include "bpf/http1_events.h"
#include "http1_vectors.h"

void AllowedPayload::feed(bool request, std::string_view bytes) {
    Side& side = sides_[request];
    side.bytes += bytes;
    while (!side.lost && side.position < side.bytes.size() && step(request, side)) {
    }
}

bool AllowedPayload::allows(bool request, const Answer& answer) const {
    const auto& payload = sides_[request].payload;
    return std::any_of(payload.begin(), payload.end(), [&](const Answer& a) {
        return a.verdict == answer.verdict && a.start == answer.start && a.length == answer.length;
    });
}

// Whether it got further.
bool AllowedPayload::step(bool request, Side& side) {
    const auto text = std::string_view(side.bytes).substr(side.position);
    if (side.inside == Body::chunked)
        return chunk(side, text);
    if (side.inside == Body::rest || (request && tunnel_)) {
        side.payload.push_back({LIBRA_PAYLOAD_UNTIL_CLOSE, 0, side.position, 0});
        side.lost = true;
        return false;
    }
    if (request ? waiting_ : asked_.empty()) {
        side.lost = true;
        return false;
    }
    return header(request, side, text);
}

bool AllowedPayload::header(bool request, Side& side, std::string_view text) {
    if (request && text.starts_with("\r\n")) {  // RFC 9112, 2.2
        side.position += 2;
        return true;
    }
    const auto message = strict_message(text, request, request ? Asked{} : asked_.front());
    if (!message)
        return false;  // incomplete, or never
    if (request) {
        asked_.push_back(message->asked);
        waiting_ = message->waits;
    } else if (!message->interim) {
        asked_.pop_front();
        tunnel_ = tunnel_ || message->tunnel;
        if (asked_.empty() && !message->tunnel)
            waiting_ = false;
    }
    side.position += message->header;
    side.inside = message->body;
    side.behind_data = false;
    if (message->body == Body::length) {
        side.payload.push_back({LIBRA_PAYLOAD, 0, side.position, message->length});
        side.position += message->length;
        side.inside = Body::none;
    }
    return true;
}

bool AllowedPayload::chunk(Side& side, std::string_view text) {
    const auto next = strict_chunk(text, side.behind_data);
    if (!next)
        return false;
    side.position += next->framing;
    if (next->data)
        side.payload.push_back({LIBRA_PAYLOAD_PART, 0, side.position, next->data});
    else
        side.inside = Body::none;
    side.position += next->data;
    side.behind_data = true;
    return true;
}

namespace {

bool is_header(const Answer& a) {
    return a.event == HTTP1_REQUEST || a.event == HTTP1_RESPONSE || a.event == HTTP1_INTERIM;
}

// The chunks behind the header answers[i], as announced and as @how reads them.
bool same_chunks(const Conversation::Stream& stream, std::size_t i, const Leniency& how) {
    std::uint64_t position = stream.answers[i].start + stream.answers[i].length;
    bool behind_data = false;
    for (i++; i < stream.answers.size() && position <= stream.bytes.size(); i++) {
        const Answer& a = stream.answers[i];
        if (a.event != HTTP1_SIZE && a.event != HTTP1_END)
            return true;  // passed
        const auto text = std::string_view(stream.bytes).substr(position);
        const auto other = lenient_chunk(text, behind_data, how);
        if (!other)
            return true;
        const bool data_follows = i + 1 < stream.answers.size();
        if (other->framing != a.length || (a.event == HTTP1_END) != !other->data)
            return false;
        if (a.event == HTTP1_END || !data_follows)
            return true;
        if (stream.answers[++i].length != other->data)
            return false;
        position += a.length + other->data;
        behind_data = true;
    }
    return true;
}

// Is the message at answers[i] what @how reads?
bool agrees(const Conversation::Stream& stream, std::size_t i, bool request, const Asked& asked,
            const Leniency& how) {
    const Answer& a = stream.answers[i];
    const auto text = std::string_view(stream.bytes).substr(a.start);
    const auto other = lenient_message(text, request, asked, how);
    if (!other)
        return true;
    if (other->header != a.length || other->interim != (a.event == HTTP1_INTERIM))
        return false;
    if (i + 1 == stream.answers.size())
        return true;  // nothing was said about a body yet
    const Answer& next = stream.answers[i + 1];
    switch (next.event) {
        case HTTP1_BODY:
            return other->body == Body::length && other->length == next.length;
        case HTTP1_SIZE:
        case HTTP1_END:
            return other->body == Body::chunked && same_chunks(stream, i, how);
        case HTTP1_REST:
            return request ? other->body == Body::none : other->body == Body::rest;
        case HTTP1_REQUEST:
        case HTTP1_RESPONSE:
        case HTTP1_INTERIM:
            return other->body == Body::none;
        default:  // passed: at the next message, or at the first chunk
            return other->body == Body::none || other->body == Body::chunked;
    }
}

}  // namespace

std::string lenient_disagreement(const Conversation& talk, libra_role role,
                                 const ForEachLeniency& for_each) {
    std::string problem;
    std::deque<Asked> asked;
    for (const bool request : {true, false}) {
        const auto& stream = talk[direction(role, request)];
        for (std::size_t i = 0; i < stream.answers.size(); i++) {
            const Answer& a = stream.answers[i];
            if (!is_header(a))
                continue;
            const auto text = std::string_view(stream.bytes).substr(a.start);
            if (!request && asked.empty())
                return "answers no request: " + std::string(text);
            const Asked now = request ? Asked{} : asked.front();
            for_each([&](const Leniency& how) {
                if (problem.empty() && !agrees(stream, i, request, now, how))
                    problem = "read differently: " + std::string(text);
            });
            if (!problem.empty())
                return problem;
            if (request)
                asked.push_back({text.starts_with("HEAD "), text.starts_with("CONNECT "), false});
            else if (a.event != HTTP1_INTERIM)
                asked.pop_front();
        }
    }
    return {};
}

std::string forbidden_payload(const Conversation& talk, libra_role role,
                              const AllowedPayload& allowed) {
    for (const bool request : {true, false}) {
        const auto& stream = talk[direction(role, request)];
        for (const Answer& a : stream.answers) {
            const bool payload = a.verdict == LIBRA_PAYLOAD || a.verdict == LIBRA_PAYLOAD_PART ||
                                 a.verdict == LIBRA_PAYLOAD_UNTIL_CLOSE;
            if (payload && !allowed.allows(request, a))
                return "payload of " + std::to_string(a.length) + " bytes at " +
                       std::to_string(a.start) + " of " + stream.bytes;
        }
    }
    return {};
}
