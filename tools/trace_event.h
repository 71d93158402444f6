// SPDX-License-Identifier: GPL-2.0-only
// An event of net/libra/trace.h as a line of trace_pipe has it.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "protocol.h"

namespace libra {

struct TraceEvent {
    std::string task;  // its name, without anything that could steer a terminal
    pid_t pid = 0;     // of the thread
    double seconds = 0;
    std::string name;  // without libra_
    std::map<std::string, std::string, std::less<>> fields;

    std::string field(std::string_view key) const;
};

// Nothing if it is none of ours. A task may have any name.
std::optional<TraceEvent> parse_trace_line(std::string_view line);

// The kernel writes down whose number is whose when it next switches between tasks; until then a
// line says "<...>". The thread's own name takes its place, if it is still there.
void name_task(TraceEvent& event, const std::string& proc = "/proc");

// What happened, in words.
std::string describe_event(const TraceEvent& event);

Json event_json(const TraceEvent& event);

// The names, without libra_.
std::vector<std::string> trace_event_names();

}  // namespace libra
