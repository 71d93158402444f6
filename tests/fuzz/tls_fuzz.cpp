// SPDX-License-Identifier: GPL-2.0-only
//
// The TLS parser against a plain reader that has the whole stream before it.
#include <optional>

#include "bpf/tls_events.h"
#include "conversation_fuzz.h"

namespace {

unsigned byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

// Is it complete, incomplete (nothing), or not the hello of that side?
std::optional<bool> hello_complete(std::string_view handshake, unsigned type) {
    if (handshake.empty())
        return false;
    if (byte_at(handshake, 0) != type)
        return {};
    if (handshake.size() < 4)
        return false;
    const std::size_t length =
        byte_at(handshake, 1) << 16 | byte_at(handshake, 2) << 8 | byte_at(handshake, 3);
    return handshake.size() - 4 >= length;
}

// The payload of all records up to the first that is not one.
std::vector<Answer> payload_of(std::string_view text, bool client) {
    std::vector<Answer> payload;
    std::string handshake;  // until the hello is complete
    bool hello = false;
    for (std::size_t at = 0; at + 5 <= text.size();) {
        const unsigned type = byte_at(text, at);
        const std::size_t length = byte_at(text, at + 3) << 8 | byte_at(text, at + 4);
        if (type < 20 || type > 24 || text[at + 1] != 3 || byte_at(text, at + 2) > 4 ||
            length > 18432 || (length == 0 && type != 23) || (!hello && type != 21 && type != 22))
            break;
        if (!hello && type == 22) {
            const std::size_t before = handshake.size();
            handshake += text.substr(at + 5, length);
            const auto complete = hello_complete(handshake, client ? 1 : 2);
            // A record whose rest does not matter may end behind the stream.
            const bool known = handshake.size() - before == length || handshake.size() >= 4;
            if (!complete || !known)
                break;
            handshake.resize(before + length, '\0');
            hello = *hello_complete(handshake, client ? 1 : 2);
        }
        at += 5;
        if (type == 23 && length && at < text.size())
            payload.push_back({LIBRA_PAYLOAD_PART, TLS_DATA, at, length});
        at += length;
    }
    return payload;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Script script = script_of(data, size);
    checked_talk_of(kTls, script, 0);
    const Conversation talk = checked_talk_of(kTls, script, LIBRA_F_ANCHOR_REQUESTS);
    for (const bool client : {true, false}) {
        const auto& stream = talk[direction(role_of(script), client)];
        std::vector<Answer> payload;
        for (const Answer& a : stream.answers)
            if (a.verdict == LIBRA_PAYLOAD_PART)
                payload.push_back(a);
        require(payload == payload_of(stream.bytes, client), "other payload than the reader's");
    }
    return 0;
}
