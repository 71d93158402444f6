// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "trace_event.h"
#include "trace_instance.h"

namespace libra {
namespace {

namespace fs = std::filesystem;

const std::string kFallback =
    "           nginx-1234    [001] ...1.  5167.001234: libra_fallback: sk=00000000abcd sport=80 "
    "dport=4711 dir=egress why=fallback_parser_pass";

TEST(TraceEvent, IsReadAndSaid) {
    const auto event = parse_trace_line(kFallback);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->task, "nginx");
    EXPECT_EQ(event->pid, 1234);
    EXPECT_DOUBLE_EQ(event->seconds, 5167.001234);
    EXPECT_EQ(event->name, "fallback");
    EXPECT_EQ(event->field("sport"), "80");
    const auto said = describe_event(*event);
    EXPECT_TRUE(said.starts_with("port 80 <-> 4711: what it sends is copied")) << said;
    EXPECT_NE(said.find("[fallback_parser_pass]"), std::string::npos) << said;
    EXPECT_EQ(event_json(*event)["fields"]["dir"], "egress");
}

TEST(TraceEvent, TaskWithoutNameIsLookedUp) {
    std::string name = testing::TempDir() + "proc-XXXXXX";
    const fs::path proc = mkdtemp(name.data());
    fs::create_directories(proc / "77");
    std::ofstream(proc / "77/comm") << "nginx\x1b[2J\n";
    const auto task_of = [&](const std::string& who) {
        auto event =
            parse_trace_line("           " + who + " [001] ...1.  5.0: libra_detach: sk=1");
        EXPECT_TRUE(event) << who;
        name_task(*event, proc);
        return event->task;
    };
    EXPECT_EQ(task_of("<...>-77   "), "nginx?[2J");
    EXPECT_EQ(task_of("<...>-78   "), "<...>");
    EXPECT_EQ(task_of("proxy-77   "), "proxy");
    fs::remove_all(proc);
}

TEST(TraceEvent, EachHasWords) {
    for (const std::string& name : trace_event_names()) {
        const auto event =
            parse_trace_line("           nginx-1     [000] ..... 1.0: libra_" + name +
                             ": sport=1 dport=2 len=4096 why=of several words");
        ASSERT_TRUE(event) << name;
        EXPECT_NE(describe_event(*event), "port 1 <-> 2: ") << name;
        EXPECT_EQ(event->field("why"), "of several words");
    }
}

// The source of the kernel names them all.
TEST(TraceEvent, TheKernelHasNoOthers) {
    std::ifstream file(fs::path(LIBRA_KERNEL_SOURCE) / "trace.h");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    std::size_t events = 0;
    for (const std::string start : {"TRACE_EVENT(libra_", "DEFINE_EVENT(libra_"}) {
        for (std::size_t at = text.find(start); at != std::string::npos;
             at = text.find(start, at + 1))
            ++events;
    }
    EXPECT_EQ(trace_event_names().size(), events);
    for (const std::string& name : trace_event_names())
        EXPECT_NE(text.find("libra_" + name + ","), std::string::npos) << name;
}

TEST(TraceEvent, ATaskMayHaveAnyName) {
    const std::string rest = "-77      [001] ...1.  1.5: libra_detach: sk=0 sport=1 dport=2";
    for (const std::string name :
         {" -1 [0] x: y: z=", "libra_attach: a=", "\x1b[2J\x07          "}) {
        std::string padded = name;
        padded.insert(0, 16 - std::min<std::size_t>(16, padded.size()), ' ');
        const auto event = parse_trace_line(padded.substr(0, 16) + rest);
        ASSERT_TRUE(event) << name;
        EXPECT_EQ(event->pid, 77);
        EXPECT_EQ(event->name, "detach");
        EXPECT_EQ(event->task.find('\x1b'), std::string::npos);
    }
}

TEST(TraceEvent, WhatIsNoneIsLeftOut) {
    for (const std::string& line :
         {std::string(), std::string("CPU:1 [LOST 33 EVENTS]"), std::string(16, ' ') + "-",
          std::string("           nginx-1     [000] ..... 1.0: sched_switch: prev=1"),
          std::string("           nginx-1     [000] ..... 1.0: libra_unheard_of: a=1"),
          std::string("           nginx-1     [000] ..... x: libra_detach: a=1"),
          std::string("           nginx-1     [000] ..... 1.0: libra_detach: a=\x1b[2J"),
          kFallback.substr(0, 40)})
        EXPECT_FALSE(parse_trace_line(line)) << line;
}

TEST(TraceFilterText, IsTheKernels) {
    EXPECT_EQ(trace_connection_filter(80, 0), "sport == 80 || dport == 80");
    EXPECT_EQ(trace_connection_filter(80, 4711),
              "(sport == 80 && dport == 4711) || (sport == 4711 && dport == 80)");
}

TEST(TraceInstance, WhatKilledRunsLeftGoes) {
    std::string name = testing::TempDir() + "tracefs-XXXXXX";
    const fs::path root = mkdtemp(name.data());
    std::ifstream stat("/proc/self/stat");
    std::string own;
    for (int i = 0; i < 22; ++i)
        stat >> own;
    const std::string mine = "libractl-" + std::to_string(getpid()) + "-" + own;
    const std::string reused = "libractl-" + std::to_string(getpid()) + "-1";
    for (const std::string& instance : {mine, reused, std::string("libractl-4194305-1"),
                                        std::string("libractl-x-1"), std::string("other")})
        fs::create_directories(root / "instances" / instance);
    EXPECT_EQ(remove_stale_instances(root), 2U);
    EXPECT_TRUE(fs::exists(root / "instances" / mine));
    EXPECT_TRUE(fs::exists(root / "instances" / "libractl-x-1"));
    EXPECT_TRUE(fs::exists(root / "instances" / "other"));
    EXPECT_FALSE(fs::exists(root / "instances" / reused));
    fs::remove_all(root);
}

}  // namespace
}  // namespace libra
