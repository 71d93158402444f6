// SPDX-License-Identifier: GPL-2.0-only
//
// What must hold of every parser: its answers are in range, and the same
// however the bytes are cut.
#pragma once

#include "conversation.h"
#include "fuzz.h"
#include "vectors.h"

inline libra_role role_of(const Script& script) {
    return script.options & 1 ? LIBRA_ROLE_ACTIVE : LIBRA_ROLE_PASSIVE;
}

// The conversation in pieces of at most @most bytes.
inline Conversation talk_of(const HostParser& parser, const Script& script, std::uint32_t flags,
                            std::size_t most) {
    Conversation talk(parser, role_of(script), flags);
    for (const Piece& piece : script.pieces)
        for (std::size_t at = 0; at < piece.text.size(); at += most)
            talk.feed(direction(role_of(script), piece.request),
                      std::string_view(piece.text).substr(at, most));
    if (!talk.complaint().empty())
        fail(talk.complaint());
    return talk;
}

inline Conversation checked_talk_of(const HostParser& parser, const Script& script,
                                    std::uint32_t flags) {
    Conversation whole = talk_of(parser, script, flags, SIZE_MAX);
    for (const std::size_t most : {std::size_t{1}, std::size_t{2} + (script.options >> 1)}) {
        const Conversation cut = talk_of(parser, script, flags, most);
        for (const libra_dir dir : {LIBRA_INGRESS, LIBRA_EGRESS})
            if (cut[dir].answers != whole[dir].answers)
                fail("other answers in pieces of " + std::to_string(most));
    }
    return whole;
}
