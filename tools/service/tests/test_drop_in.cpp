// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "drop_in.h"
#include "fake_host.h"

namespace libra::service {
namespace {

const std::string kLib = kLibrary;

Unit plain_unit() {
    Unit unit;
    unit.name = "a.service";
    unit.load_state = "loaded";
    unit.program = "/bin/a";
    unit.device_policy = "auto";
    return unit;
}

// "NAME=VALUE;" of all, or the error.
std::string settings(const Unit& unit,
                     const Access& access = {.group = "", .group_id = 0, .root_only = true},
                     std::string_view manager = "", const Wishes& wishes = {}) {
    const auto all = settings_for(unit, wishes, "/dev/libra", access, manager);
    if (!all)
        return "error: " + all.error().message();
    std::string text;
    for (const Setting& each : *all)
        text += each.name + "=" + each.value + ";";
    return text;
}

TEST(MergePreload, OursIsFirstAndThereOnce) {
    EXPECT_EQ(merge_preload("", kLib), kLib);
    EXPECT_EQ(merge_preload("/a.so:/b.so", kLib), kLib + ":/a.so:/b.so");
    EXPECT_EQ(merge_preload("/a.so " + kLib + ":  /b.so:", kLib), kLib + ":/a.so:/b.so");
    EXPECT_EQ(merge_preload("/old/libra-malloc.so", kLib), kLib);
    EXPECT_TRUE(names_library("/a.so /x/libra-malloc.so", kLib));
    EXPECT_FALSE(names_library("/x/not-libra-malloc.so.old", kLib));
}

TEST(Settings, OfAPlainUnit) {
    EXPECT_EQ(settings(plain_unit()), "Environment=LD_PRELOAD=" + kLib + ";");
}

TEST(Settings, WhatIsPreloadedStays) {
    Unit unit = plain_unit();
    unit.environment = {"LD_PRELOAD=/j.so", "X=y"};
    EXPECT_EQ(settings(unit), "Environment=LD_PRELOAD=" + kLib + ":/j.so;");
    unit.environment.clear();
    EXPECT_EQ(settings(unit, {}, "PATH=/bin\nLD_PRELOAD=/m.so\n"),
              "Environment=LD_PRELOAD=" + kLib + ":/m.so;");
    unit.environment = {"LD_PRELOAD=/j\n.so"};
    EXPECT_TRUE(settings(unit).starts_with("error: "));
}

TEST(Settings, ASandboxHasOneDeviceMore) {
    Unit unit = plain_unit();
    unit.private_devices = true;
    unit.device_policy = "closed";
    EXPECT_EQ(settings(unit), "Environment=LD_PRELOAD=" + kLib +
                                  ";DeviceAllow=/dev/libra rw;BindPaths=-/dev/libra;");
    unit.private_devices = false;
    EXPECT_EQ(settings(unit), "Environment=LD_PRELOAD=" + kLib + ";DeviceAllow=/dev/libra rw;");
    unit.device_policy = "auto";
    unit.devices = {"/dev/null rw"};
    EXPECT_EQ(settings(unit), "Environment=LD_PRELOAD=" + kLib + ";DeviceAllow=/dev/libra rw;");
}

TEST(Settings, WhoIsNotRootNeedsTheGroup) {
    Unit unit = plain_unit();
    unit.user = "www-data";
    const Access group{.group = "libra", .group_id = 7, .root_only = false};
    EXPECT_EQ(settings(unit, group),
              "Environment=LD_PRELOAD=" + kLib + ";SupplementaryGroups=libra;");
    EXPECT_EQ(settings(unit, {}), "Environment=LD_PRELOAD=" + kLib + ";");
    EXPECT_NE(settings(unit).find("60-libra.rules"), std::string::npos);
    unit.user = "root";
    EXPECT_EQ(settings(unit, group), "Environment=LD_PRELOAD=" + kLib + ";");
    unit.dynamic_user = true;
    EXPECT_NE(settings(unit, group).find("SupplementaryGroups=libra"), std::string::npos);
}

TEST(Settings, WhatWouldWinOverThemIsNamed) {
    const FakeHost fake;
    fake.write("env", "# LD_PRELOAD=/no\nX=LD_PRELOAD=/no\nLD_PRELOAD_X=1\n");
    Unit unit = plain_unit();
    unit.environment_files = {{fake.path("env").string(), true}};
    EXPECT_EQ(settings(unit), "Environment=LD_PRELOAD=" + kLib + ";");
    fake.write("env", "A=b\n  LD_PRELOAD = /yes\n");
    EXPECT_NE(settings(unit).find(fake.path("env").string()), std::string::npos);
    unit.environment_files = {{fake.path("en*").string(), true}};
    EXPECT_TRUE(settings(unit).starts_with("error: "));
    unit.environment_files.clear();
    unit.unset_environment = {"LD_PRELOAD"};
    EXPECT_NE(settings(unit).find("UnsetEnvironment"), std::string::npos);
}

TEST(DropIn, HasASealThatAnEditBreaks) {
    const std::string text = compose({{"Environment", "LD_PRELOAD=/a%b"}}, true);
    EXPECT_EQ(check_seal(text), Seal::whole);
    EXPECT_TRUE(made_directory(text));
    EXPECT_NE(text.find("\n[Service]\nEnvironment=\"LD_PRELOAD=/a%%b\"\n"), std::string::npos);
    EXPECT_EQ(check_seal(text + "User=me\n"), Seal::broken);
    EXPECT_EQ(check_seal("# mine\n" + text), Seal::broken);
    std::string other = text;
    other.replace(other.find("/a"), 2, "/c");
    EXPECT_EQ(check_seal(other), Seal::broken);
    EXPECT_EQ(check_seal("[Service]\nUser=me\n"), Seal::none);
    EXPECT_EQ(check_seal(""), Seal::none);
    EXPECT_EQ(check_seal(text.substr(0, text.find("# seal") + 10)), Seal::broken);
    EXPECT_FALSE(made_directory(compose({}, false)));
}

TEST(DropIn, InForceOrWhyNot) {
    Unit unit = plain_unit();
    const std::vector<Setting> wanted{{"Environment", "LD_PRELOAD=" + kLib},
                                      {"DeviceAllow", "/dev/libra rw"}};
    const auto complaint = [&] {
        const auto status = in_force(unit, wanted, {}, "/etc/a.service.d/libra.conf");
        return status ? std::string() : status.error().message();
    };
    EXPECT_NE(complaint().find("does not read"), std::string::npos);
    unit.drop_ins = {"/etc/a.service.d/libra.conf", "/etc/a.service.d/override.conf"};
    unit.environment = {"LD_PRELOAD=/other.so"};
    EXPECT_NE(complaint().find("override.conf comes later and resets Environment"),
              std::string::npos);
    unit.environment = {"LD_PRELOAD=" + kLib};
    EXPECT_NE(complaint().find("resets DeviceAllow"), std::string::npos);
    unit.devices = {"/dev/libra rw"};
    EXPECT_EQ(complaint(), "");
    unit.environment = {"LD_PRELOAD=" + kLib, "LD_PRELOAD=/other.so"};
    EXPECT_NE(complaint().find("after all"), std::string::npos);
}

}  // namespace
}  // namespace libra::service
