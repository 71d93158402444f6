// SPDX-License-Identifier: GPL-2.0-only
#include "http_head.h"

#include <algorithm>
#include <cctype>

#include "text.h"

namespace libra::test {
namespace {

bool parse_version(std::string_view text, HttpHead& head) {
    head.http_1_0 = text == "HTTP/1.0";
    head.keep_alive = !head.http_1_0;
    return head.http_1_0 || text == "HTTP/1.1";
}

bool parse_request_line(std::string_view line, HttpHead& head) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return false;
    head.method = line.substr(0, first);
    head.target = line.substr(first + 1, last - first - 1);
    return parse_version(line.substr(last + 1), head);
}

bool parse_status_line(std::string_view line, HttpHead& head) {
    return line.size() >= 12 && line[8] == ' ' && parse_version(line.substr(0, 8), head) &&
           parse_number(line.substr(9, 3), head.status, 10);
}

bool parse_field(std::string_view line, HttpHead& head) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return false;
    const auto name = line.substr(0, colon);
    const auto value = trim(line.substr(colon + 1));
    if (same(name, "content-length")) {
        std::uint64_t length = 0;
        if (head.length || !parse_number(value, length, 10))
            return false;
        head.length = length;
    } else if (same(name, "transfer-encoding")) {
        if (!same(value, "chunked"))
            return false;
        head.chunked = true;
    } else if (same(name, "content-encoding")) {
        head.coding = value;
        std::ranges::transform(head.coding, head.coding.begin(),
                               [](unsigned char c) { return std::tolower(c); });
    } else if (same(name, "connection")) {
        if (same(value, "close"))
            head.keep_alive = false;
        if (same(value, "keep-alive"))
            head.keep_alive = true;
    }
    return true;
}

}  // namespace

std::optional<HttpHead> parse_head(std::string_view text, HttpKind kind) {
    const auto next_line = [&text] {
        const auto end = text.find("\r\n");
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 2));
        return line;
    };
    HttpHead head;
    const auto start = next_line();
    if (!(kind == HttpKind::kRequest ? parse_request_line(start, head)
                                     : parse_status_line(start, head)))
        return {};
    for (auto line = next_line(); !line.empty(); line = next_line())
        if (!parse_field(line, head))
            return {};
    if (head.chunked && head.length)
        return {};
    return head;
}

}  // namespace libra::test
