// SPDX-License-Identifier: GPL-2.0-only
//
// HTTP/1 messages read by other rules than the parser's: once strictly, straight
// from RFC 9112, and once the way lenient servers are known to. Slow and plain
// on purpose, and shares nothing with bpf/http1.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

enum class Body { none, length, chunked, rest };

// What a request says about its answer.
struct Asked {
    bool head = false;
    bool connect = false;  // 2xx makes a tunnel
    bool upgrade = false;  // 101 makes a tunnel
    bool operator==(const Asked&) const = default;
};

struct Message {
    std::size_t header = 0;  // bytes up to and with the blank line
    Body body = Body::none;
    std::uint64_t length = 0;
    bool interim = false;  // a 1xx response
    bool tunnel = false;   // a response that ends HTTP in both directions
    bool waits = false;    // a request behind which there may be no HTTP
    Asked asked{};         // of a request
    bool operator==(const Message&) const = default;
};

// Framing around chunk data: bytes from the current position on, behind which
// there are @data bytes, or, if 0, the message has ended.
struct Chunk {
    std::size_t framing = 0;
    std::uint64_t data = 0;
};

// The message at the start of @text, or nothing if it is incomplete, or not
// strictly one. @asked: what a response answers.
std::optional<Message> strict_message(std::string_view text, bool request, const Asked& asked);

// The size at the start of @text, with the CRLF of the chunk before it if there
// was one, and with the trailers if it is 0. Nothing as above.
std::optional<Chunk> strict_chunk(std::string_view text, bool behind_data);

// What lenient parsers tolerate; they differ, so every mixture is a parser.
struct Leniency {
    bool lf_ends_line;
    bool cr_ends_line;
    bool blank_line_may_hold_spaces;
    bool names_are_trimmed;
    bool nul_ends_text;
    bool last_length_wins;
    bool any_coding_is_chunked;   // or only one that ends in "chunked"
    bool length_beats_coding;     // or the other way round
    bool old_knows_no_coding;     // HTTP/1.0
    bool reset_has_no_body;       // 205
    bool any_two_bytes_end_data;  // or it must be a line end

    static constexpr unsigned kCount = 11;
    explicit Leniency(unsigned bits);
};

// The same, for a parser that takes what it can; nothing if even that one
// refuses.
std::optional<Message> lenient_message(std::string_view text, bool request, const Asked& asked,
                                       const Leniency& how);
std::optional<Chunk> lenient_chunk(std::string_view text, bool behind_data, const Leniency& how);
