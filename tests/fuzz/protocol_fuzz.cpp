// SPDX-License-Identifier: GPL-2.0-only
//
// A line of the control protocol: what is understood says the same when it is written again,
// and whatever is not is refused by an answer that a client understands.
#include "fuzz.h"
#include "protocol.h"

using namespace libra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    const auto request = parse_request(line);
    if (!request) {
        const std::string answer = error_line(request.error());
        require(answer.find('\n') == answer.size() - 1, "an answer is not one line");
        const auto understood = parse_answer(answer);
        require(!understood && !understood.error().message().empty(),
                "a refusal is not understood");
        return 0;
    }
    const Json written = to_json(*request);
    const auto again = parse_request(to_line(written));
    require(static_cast<bool>(again), "what was understood is not, written again");
    require(to_json(*again) == written, "what was understood is something else, written again");
    require(only_reads(*again) == only_reads(*request), "and other rights are asked for");
    return 0;
}
