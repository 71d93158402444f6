// SPDX-License-Identifier: GPL-2.0-only
//
// The HTTP/1 parser against the reference, strict and lenient.
#include "conversation_fuzz.h"
#include "http1_properties.h"

namespace {

// Some of the mixtures, others for each input, and the most lenient one.
void some_leniencies(const Script& script, const std::function<void(const Leniency&)>& check) {
    constexpr unsigned kAll = 1U << Leniency::kCount;
    std::size_t hash = script.options;
    for (const Piece& piece : script.pieces)
        hash = hash * 31 + std::hash<std::string>()(piece.text);
    check(Leniency(0));
    check(Leniency(kAll - 1));
    for (int i = 0; i < 8; i++) {
        check(Leniency(static_cast<unsigned>(hash % kAll)));
        hash = hash * 6364136223846793005U + 1442695040888963407U;
        hash ^= hash >> 29;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Script script = script_of(data, size);
    checked_talk_of(kHttp1, script, 0);
    checked_talk_of(kHttp1, script, LIBRA_F_KTLS);
    const Conversation talk = checked_talk_of(kHttp1, script, LIBRA_F_ANCHOR_REQUESTS);

    AllowedPayload allowed;
    for (const Piece& piece : script.pieces)
        allowed.feed(piece.request, piece.text);
    std::string problem = forbidden_payload(talk, role_of(script), allowed);
    if (problem.empty())
        problem = lenient_disagreement(talk, role_of(script),
                                       [&](const auto& check) { some_leniencies(script, check); });
    if (!problem.empty())
        fail(problem);
    return 0;
}
