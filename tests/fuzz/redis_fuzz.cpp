// SPDX-License-Identifier: GPL-2.0-only
//
// The RESP parser of the example against a plain reader that has the whole stream before it.
#include <optional>

#include "conversation_fuzz.h"

namespace {

constexpr std::string_view kTexts = "+-:_#,(.";
constexpr std::string_view kCounts = "*~%|>";
constexpr std::string_view kStrings = "$=!;";
constexpr std::size_t kSmall = 4096;

// The number of a line, nothing where it says that nothing follows; false for what is none.
bool number_of(std::string_view digits, std::optional<std::size_t>& number) {
    number.reset();
    if (digits == "-1" || digits == "?")
        return true;
    if (digits.empty() || digits.size() > 10 ||
        digits.find_first_not_of("0123456789") != std::string_view::npos)
        return false;
    number = std::stoull(std::string(digits));
    return true;
}

// All long strings up to the first thing that is no item.
std::vector<Answer> payload_of(std::string_view text, bool client) {
    std::vector<Answer> payload;
    for (std::size_t at = 0; at < text.size();) {
        const char type = text[at];
        const bool inlined =
            client && (('a' <= type && type <= 'z') || ('A' <= type && type <= 'Z'));
        const bool counts = kCounts.find(type) != std::string_view::npos;
        const bool string = kStrings.find(type) != std::string_view::npos;
        if (!inlined && !counts && !string && kTexts.find(type) == std::string_view::npos)
            break;
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos || end - at >= (counts || string ? 13 : 16384))
            break;
        const std::size_t line = end + 1;
        if (!inlined && text[end - 1] != '\r')
            break;
        std::optional<std::size_t> number;
        if ((counts || string) && !number_of(text.substr(at + 1, end - at - 2), number))
            break;
        at = line;
        if (!string || !number || (type == ';' && *number == 0))
            continue;
        at += *number + 2;
        if (*number < kSmall || line >= text.size())
            continue;
        payload.push_back({LIBRA_PAYLOAD_PART, 0, line, *number});
        if (line + *number < text.size() && text.substr(line + *number, 2) != "\r\n")
            break;
    }
    return payload;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Script script = script_of(data, size);
    checked_talk_of(kRedis, script, 0);
    const Conversation talk = checked_talk_of(kRedis, script, LIBRA_F_ANCHOR_REQUESTS);
    for (const bool client : {true, false}) {
        const auto& stream = talk[direction(role_of(script), client)];
        std::vector<Answer> payload;
        for (const Answer& a : stream.answers)
            if (a.verdict == LIBRA_PAYLOAD_PART)
                payload.push_back({a.verdict, 0, a.start, a.length});
        require(payload == payload_of(stream.bytes, client), "other payload than the reader's");
    }
    return 0;
}
