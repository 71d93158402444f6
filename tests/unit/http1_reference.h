// SPDX-License-Identifier: GPL-2.0-only
//
// HTTP/1 headers read by other rules than the parser's: once strictly, straight
// from RFC 9112, and once the way lenient servers are known to. Slow and plain
// on purpose, and shares nothing with bpf/http1.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct Message {
    std::size_t header = 0;  // bytes up to and with the blank line
    std::uint64_t body = 0;
    bool head = false;     // a HEAD request
    bool interim = false;  // a 1xx response
    bool operator==(const Message&) const = default;
};

// The message at the start of @text, or nothing if it is incomplete, or not
// strictly one, or its body has no length of its own. @head: what a response
// answers.
std::optional<Message> strict_message(std::string_view text, bool request, bool head);

// What lenient parsers tolerate; they differ, so every mixture is a parser.
struct Leniency {
    bool lf_ends_line;
    bool cr_ends_line;
    bool blank_line_may_hold_spaces;
    bool names_are_trimmed;
    bool nul_ends_text;
    bool last_length_wins;
};

// The same, for a parser that takes what it can; nothing if even that one
// refuses, or finds a transfer coding.
std::optional<Message> lenient_message(std::string_view text, bool request, bool head,
                                       const Leniency& how);
