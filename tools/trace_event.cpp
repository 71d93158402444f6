// SPDX-License-Identifier: GPL-2.0-only
#include "trace_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "explain.h"
#include "proc_fields.h"
#include "quantity.h"

namespace libra {
namespace {

// "%16s-%-7d [%03d] %s %s: ": a name of at most 15 bytes is padded to 16, whatever is in it.
constexpr std::size_t kNameWidth = 16;
constexpr std::string_view kPrefix = "libra_";

std::string connection(const TraceEvent& event) {
    return event.field("sport").empty()
               ? std::string()
               : fmt::format("port {} <-> {}: ", event.field("sport"), event.field("dport"));
}

std::string length(const TraceEvent& event) {
    const std::string text = event.field("len");
    std::uint64_t bytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), bytes);
    return format_count(bytes) + " bytes";
}

std::string say_attach(const TraceEvent& event) {
    if (event.field("parser") == "-")
        return "met: no policy names it, and its process receives tokens; it passes";
    return fmt::format("attached by policy {} (parser {}, domain {})", event.field("policy"),
                       event.field("parser"), event.field("domain"));
}

std::string say_fallback(const TraceEvent& event) {
    return fmt::format("what it {} is copied from here on, for good: {} [{}]",
                       event.field("dir") == "egress" ? "sends" : "receives",
                       passing_reason(event.field("why")).text, event.field("why"));
}

std::string say_fill(const TraceEvent& event) {
    return fmt::format("the page at {} was filled: the {} looked at it", event.field("addr"),
                       event.field("by") == "user" ? "application" : "kernel");
}

struct Known {
    std::string_view name;
    std::string (*say)(const TraceEvent& event);
};

constexpr std::array kEvents = {
    Known{"attach", say_attach},
    Known{"detach", [](const TraceEvent&) { return std::string("ended"); }},
    Known{"early",
          [](const TraceEvent&) { return std::string("used before its handshake is over"); }},
    Known{"anchor",
          [](const TraceEvent& event) {
              return fmt::format("{} received and kept in the kernel (anchor {})", length(event),
                                 event.field("anchor"));
          }},
    Known{"redeem",
          [](const TraceEvent& event) {
              return fmt::format("{} are sent from the kernel (anchor {})", length(event),
                                 event.field("anchor"));
          }},
    Known{"reclaim",
          [](const TraceEvent& event) {
              return fmt::format("{} of anchor {} were dropped: {}", length(event),
                                 event.field("anchor"), event.field("why"));
          }},
    Known{"fallback", say_fallback},
    Known{"fail_stop",
          [](const TraceEvent& event) {
              return fmt::format("ABORTED: {} [{}]", describe_stat(event.field("why")),
                                 event.field("why"));
          }},
    Known{"altered",
          [](const TraceEvent& event) {
              return fmt::format("ALTERED: {} came, and something else was sent (libractl checked)",
                                 length(event));
          }},
    Known{"lazy_receive",
          [](const TraceEvent& event) {
              return fmt::format("{} received and left in the kernel, for {}", length(event),
                                 event.field("addr"));
          }},
    Known{"lazy_fill", say_fill},
};

const Known* find_event(std::string_view name) {
    const auto* found = std::find_if(kEvents.begin(), kEvents.end(),
                                     [&](const Known& known) { return known.name == name; });
    return found == kEvents.end() ? nullptr : found;
}

template <typename T>
bool take_number(std::string_view& text, T& value) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc())
        return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return true;
}

// Up to and with @mark.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view mark) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos)
        return std::nullopt;
    const auto taken = text.substr(0, at);
    text.remove_prefix(at + mark.size());
    return taken;
}

bool printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void take_fields(std::string_view text, TraceEvent& event) {
    while (!text.empty()) {
        const auto key = take_until(text, "=");
        if (!key)
            return;
        // A reason is the last, and may be of several words.
        const auto size = *key == "why" ? text.size() : std::min(text.find(' '), text.size());
        event.fields.emplace(*key, text.substr(0, size));
        text.remove_prefix(std::min(size + 1, text.size()));
    }
}

}  // namespace

std::string TraceEvent::field(std::string_view key) const {
    const auto it = fields.find(key);
    return it == fields.end() ? std::string() : it->second;
}

std::optional<TraceEvent> parse_trace_line(std::string_view line) {
    if (line.size() <= kNameWidth || line[kNameWidth] != '-')
        return std::nullopt;
    TraceEvent event;
    event.task = harmless(line.substr(0, kNameWidth));
    event.task.erase(0, event.task.find_first_not_of(' '));
    auto rest = line.substr(kNameWidth + 1);
    if (!take_number(rest, event.pid) || !take_until(rest, "] "))
        return std::nullopt;
    const auto flags_and_time = take_until(rest, ": ");
    const auto name = take_until(rest, ": ");
    if (!flags_and_time || !name || !name->starts_with(kPrefix) || !printable(rest))
        return std::nullopt;
    auto time = flags_and_time->substr(flags_and_time->find_last_of(' ') + 1);
    event.name = name->substr(kPrefix.size());
    if (!take_number(time, event.seconds) || !find_event(event.name))
        return std::nullopt;
    take_fields(rest, event);
    return event;
}

void name_task(TraceEvent& event, const std::string& proc) {
    if (event.task != "<...>")
        return;
    const auto name = read_proc_file(fmt::format("{}/{}/comm", proc, event.pid));
    if (name && name->size() > 1)
        event.task = harmless(std::string_view(*name).substr(0, name->size() - 1));
}

std::string describe_event(const TraceEvent& event) {
    const Known* known = find_event(event.name);
    return connection(event) + (known ? known->say(event) : event.name);
}

Json event_json(const TraceEvent& event) {
    Json json = {{"seconds", event.seconds},
                 {"task", event.task},
                 {"pid", event.pid},
                 {"event", event.name},
                 {"text", describe_event(event)}};
    for (const auto& [key, value] : event.fields)
        json["fields"][key] = value;
    return json;
}

std::vector<std::string> trace_event_names() {
    std::vector<std::string> names;
    for (const Known& known : kEvents)
        names.emplace_back(known.name);
    return names;
}

}  // namespace libra
