// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "durable_file.h"
#include "fake_host.h"
#include "steps.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

// A service that runs /bin/sh, of which the process is 77; the test's own program is the library.
class Steps : public testing::Test {
  protected:
    Steps() {
        fs::copy_file("/proc/self/exe", library_);
        fs::permissions(library_, fs::perms::owner_all | fs::perms::others_read);
        const std::string plain =
            "Id=web.service\nLoadState=loaded\nActiveState=active\nDevicePolicy=auto\n"
            "ControlGroup=/web\nTimeoutStopUSec=5s\nMainPID=77\n"
            "ExecStart={ path=/bin/sh ; argv[]=/bin/sh ; pid=0 }\n";
        fake_.unit("web.service", plain,
                   plain + "DropInPaths=" + file_.string() +
                       "\nEnvironment=LD_PRELOAD=" + library_.string() + ":/j.so\n");
        fake_.write("manager", "LD_PRELOAD=/j.so\n");
        fake_.write("cgroup/web/cgroup.procs", "77\n");
        maps("");
        fake_.write("proc/77/net/libra_stat", "lazy_rx_bytes 7\npayload_processes 1\n");
        choices_.wishes.library = library_;
        choices_.restart = Restart::yes;
        choices_.wait = std::chrono::seconds(0);
    }

    // The process has the library, or not.
    void maps(const std::string& text) const {
        fake_.write("proc/77/maps", text + "7f40-7f50 rw-p 0 00:00 0 [heap]\n");
    }
    void loaded() const { maps("7f00-7f10 r-xp 0 00:15 7 " + library_.string() + "\n"); }

    Result<Outcome> attach() { return attach_service(context_, "web.service", choices_); }
    Result<Outcome> detach() { return detach_service(context_, "web.service", choices_); }
    bool there() const { return fs::exists(file_); }

    FakeHost fake_;
    fs::path library_ = fake_.path("libra-malloc.so");
    fs::path file_ = fake_.path("etc/web.service.d/libra.conf");
    std::string said_;
    Dialogue dialogue_{[this](const std::string& text) { said_ += text + "\n"; },
                       [](const std::string&) { return false; }};
    Context context_{fake_.host, fake_.systemd, dialogue_, std::nullopt};
    Choices choices_;
};

using Told = std::vector<std::string>;

TEST_F(Steps, AttachWritesReloadsRestartsAndLooks) {
    loaded();
    const auto outcome = attach();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_TRUE(outcome->proved);
    EXPECT_EQ(fake_.told(), (Told{"daemon-reload", "restart web.service"}));
    EXPECT_NE(fake_.read("etc/web.service.d/libra.conf").find(library_.string() + ":/j.so"),
              std::string::npos);
    EXPECT_EQ(outcome->json["check"]["verdict"], "idle");
    EXPECT_NE(said_.find("after at most 5 s"), std::string::npos);
    EXPECT_NE(said_.find("no traffic to speak of yet"), std::string::npos);
}

TEST_F(Steps, ALibraryThatIsNotLoadedIsNoProof) {
    const auto outcome = attach();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->proved);
    EXPECT_EQ(outcome->json["check"]["verdict"], "not_loaded");
}

TEST_F(Steps, DryRunWritesNothing) {
    choices_.dry_run = true;
    ASSERT_TRUE(attach());
    EXPECT_FALSE(there());
    EXPECT_EQ(fake_.told(), Told{});
    EXPECT_NE(said_.find("Environment="), std::string::npos);
}

TEST_F(Steps, WithoutAPersonNothingIsRestarted) {
    choices_.restart = Restart::ask;
    const auto outcome = attach();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(fake_.told(), Told{"daemon-reload"});
    EXPECT_TRUE(there());
    EXPECT_NE(said_.find("not restarted"), std::string::npos);
}

TEST_F(Steps, AFailedReloadTakesItBack) {
    fake_.fail("daemon-reload");
    EXPECT_FALSE(attach());
    EXPECT_FALSE(fs::exists(file_.parent_path()));
}

TEST_F(Steps, WhatIsNotInForceIsTakenBack) {
    fs::remove(fake_.path("web.service.attached"));  // systemd goes on as if it were not there
    const auto outcome = attach();
    ASSERT_FALSE(outcome);
    EXPECT_NE(outcome.error().message().find("nothing is changed"), std::string::npos);
    EXPECT_FALSE(fs::exists(file_.parent_path()));
    EXPECT_EQ(fake_.told(), (Told{"daemon-reload", "daemon-reload"}));
}

TEST_F(Steps, AFailedRestartTakesItBack) {
    fake_.fail("restart");
    const auto outcome = attach();
    ASSERT_FALSE(outcome);
    EXPECT_FALSE(fs::exists(file_.parent_path()));
    EXPECT_EQ(fake_.told(), (Told{"daemon-reload", "restart web.service", "daemon-reload",
                                  "restart web.service"}));
    EXPECT_NE(outcome.error().message().find("does not run without it either"), std::string::npos);
}

TEST_F(Steps, TwiceIsOnce) {
    loaded();
    ASSERT_TRUE(attach());
    const auto text = fake_.read("etc/web.service.d/libra.conf");
    choices_.restart = Restart::ask;
    const auto again = attach();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->json["already"], true);
    EXPECT_EQ(fake_.read("etc/web.service.d/libra.conf"), text);
    EXPECT_EQ(fake_.told(), (Told{"daemon-reload", "restart web.service"}));
}

TEST_F(Steps, DetachTakesBackExactlyWhatWasWritten) {
    loaded();
    ASSERT_TRUE(attach());
    maps("");
    const auto outcome = detach();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_FALSE(fs::exists(file_.parent_path()));
    EXPECT_TRUE(outcome->proved);
    EXPECT_FALSE(detach());
}

TEST_F(Steps, AnEditedFileIsLeft) {
    loaded();
    ASSERT_TRUE(attach());
    fake_.write("etc/web.service.d/libra.conf",
                fake_.read("etc/web.service.d/libra.conf") + "Nice=5\n");
    for (const auto& refused : {detach(), attach()}) {
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message().find("has been edited"), std::string::npos);
    }
    EXPECT_TRUE(there());
}

TEST_F(Steps, AFailedReloadPutsADetachedFileBack) {
    loaded();
    ASSERT_TRUE(attach());
    const auto text = fake_.read("etc/web.service.d/libra.conf");
    fake_.fail("daemon-reload");
    EXPECT_FALSE(detach());
    EXPECT_EQ(fake_.read("etc/web.service.d/libra.conf"), text);
}

TEST_F(Steps, AMachineWithoutSystemdIsTold) {
    fs::remove(fake_.path("run"));
    const auto outcome = attach();
    ASSERT_FALSE(outcome);
    EXPECT_NE(outcome.error().message().find("libractl run"), std::string::npos);
}

TEST_F(Steps, WithoutTheLibraryOrTheModuleNothingIsWritten) {
    choices_.wishes.library = "/nowhere/libra-malloc.so";
    EXPECT_FALSE(attach());
    choices_.wishes.library = library_;
    fake_.host.device = fake_.path("none");
    EXPECT_FALSE(attach());
    EXPECT_EQ(fake_.told(), Told{});
    EXPECT_FALSE(there());
}

}  // namespace
}  // namespace libra::service
