// SPDX-License-Identifier: GPL-2.0-only
#include "proc_fields.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "unique_fd.h"

namespace libra {
namespace {

constexpr std::size_t kLineMax = 4096;

// What is shown on a terminal later has nothing in it that could steer it.
bool printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Result<ProcLine> ProcLine::parse(std::string_view line) {
    const auto wrong = [&](std::string_view what) {
        const auto shown = printable(line) ? line.substr(0, 80) : std::string_view("...");
        return Error(fmt::format("line '{}': {}", shown, what), EPROTO);
    };
    if (line.size() > kLineMax)
        return wrong("too long");
    if (!printable(line))
        return wrong("not printable");
    ProcLine parsed;
    for (auto rest = line; !rest.empty();) {
        const auto word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        if (word.empty())
            continue;
        const auto equals = word.find('=');
        if (parsed.kind_.empty()) {
            if (equals != std::string_view::npos)
                return wrong("a kind was expected");
            parsed.kind_ = word;
        } else if (equals == std::string_view::npos || equals == 0) {
            return wrong("not key=value");
        } else if (!parsed.fields_.emplace(word.substr(0, equals), word.substr(equals + 1))
                        .second) {
            return wrong("a key twice");
        }
    }
    if (parsed.kind_.empty())
        return wrong("empty");
    return parsed;
}

std::string ProcLine::text(std::string_view key) const {
    const auto it = fields_.find(key);
    return it == fields_.end() ? std::string() : it->second;
}

Result<std::vector<ProcLine>> parse_proc_lines(std::string_view text, std::string_view title) {
    std::vector<ProcLine> lines;
    bool titled = false;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos)
            return Error("the last line is cut off", EPROTO);
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (!titled) {
            if (line != title)
                return Error(fmt::format("its title is not '{}': the module and this program are "
                                         "of different versions",
                                         title),
                             EPROTO);
            titled = true;
            continue;
        }
        auto parsed = ProcLine::parse(line);
        if (!parsed)
            return parsed.error();
        lines.push_back(std::move(*parsed));
    }
    if (!titled)
        return Error("it is empty", EPROTO);
    return lines;
}

Result<std::string> read_proc_file(const std::string& path, std::size_t limit) {
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file)
        return Error::from_errno(path);
    std::string text;
    std::array<char, 64 * 1024> buffer{};
    for (;;) {
        const ssize_t got = read(file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(path);
        if (got == 0)
            return text;
        if (text.size() + static_cast<std::size_t>(got) > limit)
            return Error(path + ": too large", EFBIG);
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

std::string harmless(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

}  // namespace libra
