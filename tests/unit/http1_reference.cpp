// SPDX-License-Identifier: GPL-2.0-only
#include "http1_reference.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

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

// What start line and fields say, however they were read.
struct Header {
    std::size_t size = 0;
    std::string method;  // of a request
    int status = 0;      // of a response
    bool old = false;    // HTTP/1.0
    bool upgrade = false;
    bool chunked = false;
    std::optional<std::uint64_t> length;
};

// RFC 9112, 6.3.
Message frame(const Header& h, bool request, const Asked& asked, bool reset_has_no_body) {
    Message m;
    m.header = h.size;
    if (request) {
        m.asked = {h.method == "HEAD", h.method == "CONNECT", h.upgrade};
        m.waits = h.method == "CONNECT" || h.upgrade;
    } else if ((asked.connect && h.status / 100 == 2) || h.status == 101) {
        m.tunnel = true;
        m.body = Body::rest;
        return m;
    } else if (h.status < 200) {
        m.interim = true;
        return m;
    } else if (h.status == 204 || h.status == 304 || asked.head ||
               (h.status == 205 && reset_has_no_body)) {
        return m;
    }
    if (h.chunked) {
        m.body = Body::chunked;
    } else if (h.length) {
        m.length = *h.length;
        m.body = m.length ? Body::length : Body::none;
    } else if (!request) {
        m.body = Body::rest;
    }
    return m;
}

// The name of a field that strictly is one, in lower case.
std::optional<std::string> strict_name(const std::string& line) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon == 0)
        return {};
    std::string name = lower(line.substr(0, colon));
    if (std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; }))
        return {};
    return name;
}

// The lines of @text up to a blank one, which is at @end.
std::optional<std::vector<std::string>> strict_lines(std::string_view text, std::size_t end) {
    std::vector<std::string> lines = split(text.substr(0, end), "\r\n");
    for (const std::string& line : lines)
        if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            return {};
    return lines;
}

std::optional<Header> strict_header(const std::vector<std::string>& lines, bool request) {
    Header h;
    const std::string& start = lines[0];
    if (request) {
        const std::vector<std::string> words = split(start, " ");
        if (words.size() != 3 || words[0].empty() || words[1].empty() ||
            !std::all_of(words[0].begin(), words[0].end(), upper) ||
            (words[2] != "HTTP/1.0" && words[2] != "HTTP/1.1"))
            return {};
        h.method = words[0];
        h.old = words[2] == "HTTP/1.0";
    } else {
        if (start.size() < 12 ||
            (!start.starts_with("HTTP/1.0 ") && !start.starts_with("HTTP/1.1 ")) ||
            !digit(start[9]) || !digit(start[10]) || !digit(start[11]) ||
            (start.size() > 12 && start[12] != ' '))
            return {};
        h.old = start[7] == '0';
        h.status = std::atoi(start.substr(9, 3).c_str());
        if (h.status < 100 || h.status > 599)
            return {};
    }

    for (std::size_t i = 1; i < lines.size(); i++) {
        const auto name = strict_name(lines[i]);
        if (!name)
            return {};
        std::string value = lines[i].substr(name->size() + 1);
        if (value.starts_with(' '))
            value.erase(0, 1);
        if (*name == "upgrade")
            h.upgrade = true;
        if (*name == "transfer-encoding") {
            if (h.chunked || lower(value) != "chunked")
                return {};
            h.chunked = true;
        }
        if (*name == "content-length") {
            if (h.length || value.empty() || value.size() > 18 ||
                (value[0] == '0' && value != "0") ||
                !std::all_of(value.begin(), value.end(), digit))
                return {};
            h.length = std::stoull(value);
        }
    }
    return h;
}

// Lines as a lenient parser finds them; empty when there is no end of one.
class LenientLines {
  public:
    LenientLines(std::string_view text, const Leniency& how) : text_(text), how_(how) {}

    std::optional<std::string> next() {
        std::string line;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            const bool crlf = c == '\r' && at_ < text_.size() && text_[at_] == '\n';
            if (crlf)
                at_++;
            if (!crlf && !(c == '\n' && how_.lf_ends_line) && !(c == '\r' && how_.cr_ends_line)) {
                line += c;
                continue;
            }
            const bool spaces = line.find_first_not_of(" \t") == std::string::npos;
            if (how_.blank_line_may_hold_spaces && spaces)
                line.clear();
            if (how_.nul_ends_text)
                line.resize(std::min(line.size(), line.find('\0')));
            return line;
        }
        return {};
    }

    std::size_t at() const { return at_; }
    void skip(std::size_t n) { at_ += n; }

  private:
    std::string_view text_;
    const Leniency& how_;
    std::size_t at_ = 0;
};

}  // namespace

Leniency::Leniency(unsigned bits)
    : lf_ends_line(bits & 1),
      cr_ends_line(bits & 2),
      blank_line_may_hold_spaces(bits & 4),
      names_are_trimmed(bits & 8),
      nul_ends_text(bits & 16),
      last_length_wins(bits & 32),
      any_coding_is_chunked(bits & 64),
      length_beats_coding(bits & 128),
      old_knows_no_coding(bits & 256),
      reset_has_no_body(bits & 512),
      any_two_bytes_end_data(bits & 1024) {}

std::optional<Message> strict_message(std::string_view text, bool request, const Asked& asked) {
    const auto end = text.find("\r\n\r\n");
    if (end == std::string_view::npos)
        return {};
    const auto lines = strict_lines(text, end);
    if (!lines)
        return {};
    auto h = strict_header(*lines, request);
    if (!h)
        return {};
    h->size = end + 4;

    const bool framed = h->chunked || h->length;
    if (h->chunked && (h->length || h->old))
        return {};
    if (request) {
        if (h->method == "CONNECT" && framed)
            return {};
        Message m = frame(*h, true, asked, false);
        if (h->old || m.body != Body::none || h->length)
            m.asked.upgrade = false;
        return m;
    }
    if (h->status == 101 && (!asked.upgrade || asked.connect || !h->upgrade || h->old))
        return {};
    const Message m = frame(*h, false, asked, false);
    if ((m.tunnel || m.interim) && framed)
        return {};
    if (m.body == Body::none && (h->chunked || (h->status == 204 && h->length.value_or(0))))
        return {};
    if (h->status == 205 && m.body != Body::none)
        return {};
    return m;
}

std::optional<Chunk> strict_chunk(std::string_view text, bool behind_data) {
    const std::size_t start = behind_data ? 2 : 0;
    if (behind_data && !text.starts_with("\r\n"))
        return {};
    const auto end = text.find("\r\n", start);
    if (end == std::string_view::npos || end + 2 > 4096)
        return {};
    const std::string line(text.substr(start, end - start));
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
        return {};
    const std::string size = line.substr(0, line.find(';'));
    if (size.empty() || size.size() > 15 ||
        size.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        return {};
    Chunk chunk{.framing = end + 2, .data = std::strtoull(size.c_str(), nullptr, 16)};
    if (chunk.data)
        return chunk;

    // The last chunk's CRLF may be the beginning of the blank line.
    const auto blank = text.find("\r\n\r\n", end);
    if (blank == std::string_view::npos)
        return {};
    chunk.framing = blank + 4;
    if (blank == end)
        return chunk;
    const auto lines = strict_lines(text.substr(end + 2), blank - end - 2);
    if (!lines)
        return {};
    for (const std::string& trailer : *lines) {
        const auto name = strict_name(trailer);
        if (!name || *name == "content-length" || *name == "transfer-encoding")
            return {};
    }
    return chunk;
}

std::optional<Message> lenient_message(std::string_view text, bool request, const Asked& asked,
                                       const Leniency& how) {
    LenientLines lines(text, how);
    auto start = lines.next();
    while (start && start->empty())  // blank lines before the start line are skipped
        start = lines.next();
    if (!start)
        return {};
    const auto blank = start->find_first_of(" \t");
    if (blank == std::string::npos)
        return {};

    Header h;
    if (request)
        h.method = start->substr(0, blank);
    else
        h.status = std::atoi(start->c_str() + blank);
    h.old = request ? start->ends_with("HTTP/1.0") : start->starts_with("HTTP/1.0");

    bool coded = false;
    for (;;) {
        const auto line = lines.next();
        if (!line)
            return {};
        if (line->empty())
            break;
        const auto colon = line->find(':');
        if (colon == std::string::npos)
            continue;
        std::string name = lower(line->substr(0, colon));
        const std::string value = lower(line->substr(colon + 1));
        if (how.names_are_trimmed)
            std::erase_if(name, [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
        if (name == "upgrade")
            h.upgrade = true;
        if (name == "transfer-encoding") {
            coded = true;
            h.chunked = how.any_coding_is_chunked || value.ends_with("chunked");
        }
        if (name == "content-length" && (!h.length || how.last_length_wins))
            h.length = std::strtoull(value.c_str(), nullptr, 10);
    }
    h.size = lines.at();
    if (how.old_knows_no_coding && h.old)
        coded = h.chunked = false;
    if (coded && !h.chunked)
        return {};
    if (how.length_beats_coding && h.length)
        h.chunked = false;
    return frame(h, request, asked, how.reset_has_no_body);
}

std::optional<Chunk> lenient_chunk(std::string_view text, bool behind_data, const Leniency& how) {
    LenientLines lines(text, how);
    if (behind_data && how.any_two_bytes_end_data) {
        if (text.size() < 2)
            return {};
        lines.skip(2);
    } else if (behind_data) {
        const auto end = lines.next();
        if (!end || !end->empty())
            return {};
    }
    const auto size = lines.next();
    if (!size)
        return {};
    // Skips blanks, takes a sign and 0x, and stops where it knows no further.
    Chunk chunk{.framing = lines.at(), .data = std::strtoull(size->c_str(), nullptr, 16)};
    while (!chunk.data) {
        const auto trailer = lines.next();
        if (!trailer)
            return {};
        chunk.framing = lines.at();
        if (trailer->empty())
            break;
    }
    return chunk;
}
