// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "fake_host.h"
#include "quoted.h"
#include "unit.h"
#include "unit_name.h"

namespace libra::service {
namespace {

TEST(ServiceName, TypeIsAdded) {
    EXPECT_EQ(service_name("nginx").value(), "nginx.service");
    EXPECT_EQ(service_name("nginx.service").value(), "nginx.service");
    EXPECT_EQ(service_name("nginx@a.service").value(), "nginx@a.service");
    EXPECT_EQ(service_name("a\\x2db").value(), "a\\x2db.service");
}

TEST(ServiceName, HostileOnesAreRefused) {
    for (const std::string& name :
         {std::string(), std::string("../../etc/passwd"), std::string("a/b.service"),
          std::string(".."), std::string(".service"), std::string("-h"), std::string("a\nb"),
          std::string("a b"), std::string("a\0b", 3), std::string("é"), std::string("@.service"),
          std::string("$(id)"), std::string("a;b"), std::string(300, 'a')})
        EXPECT_FALSE(service_name(name)) << name;
}

TEST(ServiceName, TheRefusalSaysTheMend) {
    EXPECT_NE(service_name("nginx@.service").error().message().find("nginx@NAME.service"),
              std::string::npos);
    EXPECT_NE(service_name("web.socket").error().message().find(".service"), std::string::npos);
    EXPECT_EQ(service_name("a\n\x1b[2J").error().message().find('\x1b'), std::string::npos);
}

TEST(Quoted, WordsOfSystemctl) {
    EXPECT_EQ(unquote_words("A=1 \"B=x y\" C=3"),
              (std::vector<std::string>{"A=1", "B=x y", "C=3"}));
    EXPECT_EQ(unquote_words(R"("Q=a\"b\\c" "N=x\ny" $'T=a\tb\x41')"),
              (std::vector<std::string>{"Q=a\"b\\c", "N=x\ny", "T=a\tbA"}));
    EXPECT_TRUE(unquote_words(" \n").empty());
    EXPECT_EQ(unquote_words("\"open"), std::vector<std::string>{"open"});
}

TEST(Quoted, WhatAUnitFileReadsBack) {
    EXPECT_EQ(quote_for_unit("LD_PRELOAD=/a b:/%i\\\"x"), R"("LD_PRELOAD=/a b:/%%i\\\"x")");
}

TEST(Span, AsSystemdSaysIt) {
    EXPECT_EQ(parse_span("1min 30s")->count(), 90);
    EXPECT_EQ(parse_span("5s")->count(), 5);
    EXPECT_EQ(parse_span("500ms")->count(), 0);
    EXPECT_FALSE(parse_span("infinity"));
    EXPECT_FALSE(parse_span(""));
    EXPECT_FALSE(parse_span("12 parsecs"));
}

TEST(Unit, IsReadAsSystemctlShowsIt) {
    const FakeHost fake;
    fake.unit("haproxy.service",
              "Id=haproxy.service\nLoadState=loaded\nActiveState=active\nUser=ha\n"
              "EnvironmentFiles=/etc/default/haproxy (ignore_errors=yes)\n"
              "EnvironmentFiles=/etc/it (ignore_errors=no)\n"
              "DeviceAllow=/dev/null rw\nDeviceAllow=char-pts r\nDevicePolicy=closed\n"
              "PrivateDevices=yes\nTriggeredBy=web.socket web.timer\nMainPID=17\n"
              "DropInPaths=/etc/a.conf \"/etc/b c.conf\"\nTimeoutStopUSec=1min 30s\n"
              "Environment=CONFIG=/c \"EXTRA=-S /s\" CONFIG=/d\n"
              "ExecStart={ path=/usr/sbin/haproxy ; argv[]=/usr/sbin/haproxy -f x ; pid=0 }\n");
    const auto unit = read_unit(fake.systemd, "haproxy.service");
    ASSERT_TRUE(unit) << unit.error().message();
    EXPECT_EQ(unit->program, "/usr/sbin/haproxy");
    EXPECT_EQ(unit->variable("CONFIG"), "/d");
    EXPECT_EQ(unit->variable("EXTRA"), "-S /s");
    EXPECT_FALSE(unit->variable("EXTR"));
    ASSERT_EQ(unit->environment_files.size(), 2U);
    EXPECT_EQ(unit->environment_files[0].pattern, "/etc/default/haproxy");
    EXPECT_TRUE(unit->environment_files[0].optional);
    EXPECT_EQ(unit->devices, (std::vector<std::string>{"/dev/null rw", "char-pts r"}));
    EXPECT_EQ(unit->sockets, std::vector<std::string>{"web.socket"});
    ASSERT_EQ(unit->drop_ins.size(), 2U);
    EXPECT_EQ(unit->drop_ins[1], "/etc/b c.conf");
    EXPECT_EQ(unit->stop_limit->count(), 90);
    EXPECT_FALSE(unit->starts_as_root());
    EXPECT_TRUE(attachable(*unit));
}

TEST(Unit, WhatCannotBeAttachedSaysWhy) {
    const auto refusal = [](auto change) {
        Unit unit;
        unit.name = "a.service";
        unit.load_state = "loaded";
        unit.program = "/bin/a";
        change(unit);
        const auto status = attachable(unit);
        return status ? std::string() : status.error().message();
    };
    EXPECT_EQ(refusal([](Unit&) {}), "");
    EXPECT_NE(refusal([](Unit& u) { u.load_state = "not-found"; }).find("no service"),
              std::string::npos);
    EXPECT_NE(refusal([](Unit& u) { u.load_state = "masked"; }).find("systemctl unmask a.service"),
              std::string::npos);
    EXPECT_NE(refusal([](Unit& u) { u.load_state = "bad-setting"; }).find("bad-setting"),
              std::string::npos);
    EXPECT_NE(refusal([](Unit& u) { u.transient = true; }).find("systemd-run"), std::string::npos);
    EXPECT_NE(refusal([](Unit& u) { u.root = "/jail"; }).find("/jail"), std::string::npos);
    EXPECT_NE(refusal([](Unit& u) { u.program.clear(); }).find("ExecStart"), std::string::npos);
}

TEST(Systemctl, ThatIsNotThereSaysWhatToDo) {
    const Systemctl none("/nowhere/systemctl");
    const auto unit = read_unit(none, "a.service");
    ASSERT_FALSE(unit);
    EXPECT_NE(unit.error().message().find("libractl run"), std::string::npos);
}

}  // namespace
}  // namespace libra::service
