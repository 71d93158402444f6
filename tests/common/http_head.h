// SPDX-License-Identifier: GPL-2.0-only
// The head of an HTTP/1 message. It comes from servers and proxies that the test started
// itself, so whatever is not understood is an error, not a thing to be lenient about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace libra::test {

enum class HttpKind { kRequest, kResponse };

struct HttpHead {
    std::string method;  // of a request
    std::string target;
    int status = 0;  // of a response
    bool http_1_0 = false;
    bool keep_alive = true;
    bool chunked = false;
    std::string coding;  // Content-Encoding, in lower case
    std::optional<std::uint64_t> length;
};

// All of it, with or without the empty line at its end.
std::optional<HttpHead> parse_head(std::string_view text, HttpKind kind);

}  // namespace libra::test
