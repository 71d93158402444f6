// SPDX-License-Identifier: GPL-2.0-only
#include "checked.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "proc_fields.h"
#include "report.h"

namespace libra {
namespace {

constexpr std::size_t kColumns = 9;

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> found;
    while (!line.empty()) {
        const auto end = std::min(line.find(' '), line.size());
        found.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return found;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<std::string> from_hex(std::string_view text) {
    std::string bytes;
    if (text == "-")
        return bytes;
    if (text.size() % 2)
        return std::nullopt;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        unsigned value = 0;
        const char* first = text.data() + i;
        const auto [end, error] = std::from_chars(first, first + 2, value, 16);
        if (error != std::errc() || end != first + 2)
            return std::nullopt;
        bytes += static_cast<char>(value);
    }
    return bytes;
}

std::string_view next_line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

// "GET /index.html HTTP/1.1", without what may be a secret in the query.
std::string request_of(std::string_view header) {
    const auto line = next_line(header);
    const auto method = line.substr(0, line.find(' '));
    if (method.size() == line.size())
        return "";
    auto path = line.substr(method.size() + 1);
    path = path.substr(0, path.find_first_of(" ?"));
    return harmless(fmt::format("{} {}", method, path));
}

std::string content_type_of(std::string_view header) {
    constexpr std::string_view kName = "content-type:";
    while (!header.empty()) {
        auto line = next_line(header);
        if (line.size() < kName.size() ||
            !std::equal(kName.begin(), kName.end(), line.begin(), [](char wanted, char c) {
                return wanted == (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c);
            }))
            continue;
        line.remove_prefix(kName.size());
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        return harmless(line);
    }
    return "";
}

std::optional<Json> altered_message(std::string_view line) {
    const auto column = words(line);
    if (column.size() != kColumns)
        return std::nullopt;
    std::array<std::uint64_t, 4> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto value = number(column[3 + i]);
        if (!value)
            return std::nullopt;
        numbers[i] = *value;
    }
    const auto asked = from_hex(column[7]), header = from_hex(column[8]);
    if (!asked || !header)
        return std::nullopt;
    const bool upstream = column[0] == "upstream";
    return Json{{"from", harmless(column[0])},
                {"peer", harmless(column[1])},
                {"local", harmless(column[2])},
                {"policy", numbers[0]},
                {"domain", numbers[1]},
                {"bytes", numbers[2]},
                {"seconds", numbers[3]},
                {"request", request_of(upstream ? *asked : *header)},
                {"content_type", content_type_of(*header)}};
}

std::uint64_t counter(const KernelStats& stats, std::string_view name) {
    const auto found = std::find_if(stats.begin(), stats.end(),
                                    [name](const auto& stat) { return stat.first == name; });
    return found == stats.end() ? 0 : found->second;
}

std::uint64_t field(const Json& json, const char* key) {
    const auto it = json.find(key);
    return it != json.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

std::string text(const Json& json, const char* key) {
    const auto it = json.find(key);
    if (it == json.end())
        return "";
    return it->is_string() ? it->get<std::string>() : it->dump();
}

}  // namespace

Result<Json> parse_altered(std::string_view text) {
    Json all = Json::array();
    while (!text.empty()) {
        const auto line = next_line(text);
        auto message = altered_message(line);
        if (!message)
            return Error(fmt::format("line '{}' is none of this version's", harmless(line)),
                         EPROTO);
        all.push_back(std::move(*message));
    }
    return all;
}

Json checked_answer(const KernelStats& stats, Json altered) {
    const auto messages = counter(stats, "checked_messages");
    const auto wrong = counter(stats, "checked_altered"), unsent = counter(stats, "checked_unsent");
    return Json{{"ok", true},
                {"messages", messages},
                {"unaltered", messages - std::min(messages, wrong + unsent)},
                {"altered", wrong},
                {"unsent", unsent},
                {"skipped", counter(stats, "checked_skipped")},
                {"dry_run_bytes", counter(stats, "rx_dry_run_bytes")},
                {"anchorable_bytes", counter(stats, "rx_anchorable_bytes")},
                {"last_altered", std::move(altered)}};
}

std::string report_checked(const Json& answer) {
    const auto messages = field(answer, "messages"), altered = field(answer, "altered");
    if (messages == 0)
        return "no messages were checked: that takes a policy in mode dry-run, or token with "
               "--check, and payload of net.libra.min_anchor bytes or more\n";
    std::string out =
        fmt::format("{} messages: {} left unchanged, {} altered, {} not sent", messages,
                    field(answer, "unaltered"), altered, field(answer, "unsent"));
    const auto payload = field(answer, "dry_run_bytes"),
               anchorable = field(answer, "anchorable_bytes");
    if (payload)
        out += fmt::format("; {:.1f} % of the bytes anchorable",
                           100.0 * static_cast<double>(anchorable) / static_cast<double>(payload));
    out += "\n";
    if (const auto skipped = field(answer, "skipped"))
        out += fmt::format(
            "{} more were not checked: too many waited for their verdict, so of the others it "
            "may not be known either\n",
            skipped);
    if (altered)
        out += "Mode token is not for what is altered: see libractl doctor --token.\n";
    std::vector<Row> rows = {{"FROM", "POLICY", "BYTES", "SECONDS AGO", "CONTENT TYPE", "REQUEST"}};
    if (const auto last = answer.find("last_altered"); last != answer.end()) {
        for (const Json& message : *last)
            rows.push_back({text(message, "from") + " " + text(message, "peer"),
                            text(message, "policy"), text(message, "bytes"),
                            text(message, "seconds"), text(message, "content_type"),
                            text(message, "request")});
    }
    return rows.size() == 1 ? out : out + table(rows);
}

}  // namespace libra
