// SPDX-License-Identifier: GPL-2.0-only
#include "http1_reference.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <vector>

namespace {

bool digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

bool upper(unsigned char c) {
    return c >= 'A' && c <= 'Z';
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
    std::vector<std::string> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return parts;
        text.remove_prefix(at + separator.size());
    }
}

// The body that status, method and Content-Length give (RFC 9112, 6.3); nothing
// for until-close, tunnels and contradictions.
std::optional<Message> frame(std::size_t header, bool request, const std::string& method,
                             int status, bool head, std::optional<std::uint64_t> length) {
    Message m{.header = header};
    if (request) {
        if (method == "CONNECT")
            return {};
        m.head = method == "HEAD";
        m.body = length.value_or(0);
        return m;
    }
    if (status == 101)
        return {};
    m.interim = status < 200;
    if (m.interim || status == 204 || status == 304 || head)
        return m;
    if (!length)
        return {};
    m.body = *length;
    return m;
}

}  // namespace

std::optional<Message> strict_message(std::string_view text, bool request, bool head) {
    const auto end = text.find("\r\n\r\n");
    if (end == std::string_view::npos)
        return {};
    const std::vector<std::string> lines = split(text.substr(0, end), "\r\n");
    for (const std::string& line : lines)
        if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            return {};

    std::string method;
    int status = 0;
    const std::string& start = lines[0];
    if (request) {
        const std::vector<std::string> words = split(start, " ");
        if (words.size() != 3 || words[0].empty() || words[1].empty() ||
            !std::all_of(words[0].begin(), words[0].end(), upper) ||
            (words[2] != "HTTP/1.0" && words[2] != "HTTP/1.1"))
            return {};
        method = words[0];
    } else {
        if (start.size() < 12 ||
            (!start.starts_with("HTTP/1.0 ") && !start.starts_with("HTTP/1.1 ")) ||
            !digit(start[9]) || !digit(start[10]) || !digit(start[11]) ||
            (start.size() > 12 && start[12] != ' '))
            return {};
        status = std::atoi(start.substr(9, 3).c_str());
        if (status < 100 || status > 599)
            return {};
    }

    std::optional<std::uint64_t> length;
    for (std::size_t i = 1; i < lines.size(); i++) {
        const auto colon = lines[i].find(':');
        if (colon == std::string::npos || colon == 0)
            return {};
        const std::string name = lower(lines[i].substr(0, colon));
        if (std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; }))
            return {};
        if (name == "transfer-encoding")
            return {};
        if (name != "content-length")
            continue;
        std::string value = lines[i].substr(colon + 1);
        if (value.starts_with(' '))
            value.erase(0, 1);
        if (length || value.empty() || value.size() > 18 || (value[0] == '0' && value != "0") ||
            !std::all_of(value.begin(), value.end(), digit))
            return {};
        length = std::stoull(value);
    }
    if (length && status >= 100 && (status < 200 || (status == 204 && *length)))
        return {};
    return frame(end + 4, request, method, status, head, length);
}

std::optional<Message> lenient_message(std::string_view text, bool request, bool head,
                                       const Leniency& how) {
    std::vector<std::string> lines;
    std::size_t at = 0;
    std::string line;
    bool complete = false;

    while (!complete && at < text.size()) {
        const char c = text[at++];
        const bool crlf = c == '\r' && at < text.size() && text[at] == '\n';
        if (crlf)
            at++;
        if (!crlf && !(c == '\n' && how.lf_ends_line) && !(c == '\r' && how.cr_ends_line)) {
            line += c;
            continue;
        }
        const bool spaces = line.find_first_not_of(" \t") == std::string::npos;
        if (line.empty() || (how.blank_line_may_hold_spaces && spaces)) {
            complete = !lines.empty();  // blank lines before the start line are skipped
        } else {
            if (how.nul_ends_text)
                line.resize(std::min(line.size(), line.find('\0')));
            lines.push_back(line);
        }
        line.clear();
    }
    if (!complete)
        return {};

    std::string method;
    int status = 0;
    const auto blank = lines[0].find_first_of(" \t");
    if (blank == std::string::npos)
        return {};
    if (request)
        method = lines[0].substr(0, blank);
    else
        status = std::atoi(lines[0].c_str() + blank);

    std::optional<std::uint64_t> length;
    for (std::size_t i = 1; i < lines.size(); i++) {
        const auto colon = lines[i].find(':');
        if (colon == std::string::npos)
            continue;
        std::string name = lower(lines[i].substr(0, colon));
        if (how.names_are_trimmed)
            std::erase_if(name, [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
        if (name == "transfer-encoding")
            return {};
        if (name == "content-length" && (!length || how.last_length_wins))
            length = std::strtoull(lines[i].c_str() + colon + 1, nullptr, 10);
    }
    return frame(at, request, method, status, head, length);
}
