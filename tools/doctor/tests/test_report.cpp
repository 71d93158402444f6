// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "doctor_report.h"
#include "fake_machine.h"

namespace libra::doctor {
namespace {

using nlohmann::json;

class ReportTest : public MachineTest {
  protected:
    ReportTest() : around_{machine, kBoth, [] { return Status(Ok{}); }} {
        good();
        question.system = false;
        named("nginx.conf",
              "http { server { location / {\nproxy_pass http://a;\n"
              "proxy_buffers 16 64k; proxy_max_temp_file_size 0;\n"
              "proxy_request_buffering off; client_body_buffer_size 64k;\n"
              "proxy_http_version 1.1;\n} } }\n");
    }

    void named(const char* name, std::string_view text) {
        file(name, text);
        question.nginx = {machine.path(name).string()};
    }
    Diagnosis diagnosis() { return diagnose(question, around_); }
    std::string text() { return text_report(diagnosis(), question, false); }

    Question question;

  private:
    Surroundings around_;
};

TEST_F(ReportTest, NothingToComplainOf) {
    EXPECT_FALSE(diagnosis().is_broken());
    EXPECT_FALSE(diagnosis().is_partial());
    EXPECT_EQ(text(), "nginx, " + question.nginx[0] +
                          " (not running)\n  ok      nothing to complain of\n\n"
                          "0 bad, 0 unsafe, 0 slow; 1 more with --anchor-requests\n");
}

TEST_F(ReportTest, OnlyWhatIsAskedFor) {
    named("bad.conf",
          "http { server { location / { gzip on;\nproxy_pass http://a;\n"
          "proxy_buffers 8 4k; proxy_max_temp_file_size 0;\n"
          "proxy_request_buffering off; proxy_http_version 1.1; } } }");
    const auto rules = [this] {
        std::string out;
        const Diagnosis all = diagnosis();
        for (const Finding& finding : all.proxies.at(0).findings)
            out += std::string(out.empty() ? "" : " ") + finding.rule->id;
        return out;
    };
    EXPECT_EQ(rules(), "nginx-gzip nginx-small-buffers nginx-small-body-buffer");
    EXPECT_TRUE(diagnosis().is_broken());
    question.modes = kToken;
    EXPECT_EQ(rules(), "nginx-gzip nginx-small-buffers");
    question.anchor_requests = true;
    EXPECT_EQ(rules(), "nginx-gzip nginx-next-upstream nginx-small-buffers");
    question.anchor_requests = false;
    question.modes = kLazy;
    EXPECT_EQ(rules(), "nginx-small-buffers nginx-small-body-buffer");
    EXPECT_FALSE(diagnosis().is_broken());
}

TEST_F(ReportTest, WhatCannotBeReadIsSaid) {
    question.nginx = {machine.path("none.conf").string()};
    EXPECT_TRUE(diagnosis().is_partial());
    EXPECT_FALSE(diagnosis().is_broken());
    EXPECT_NE(text().find("  unread  " + question.nginx[0] + ": No such file or directory\n"),
              std::string::npos);
}

TEST_F(ReportTest, WhatForwardsNothingIsSaid) {
    named("local.conf", "http { gzip on; server { location / { return 200; } } }");
    EXPECT_FALSE(diagnosis().is_broken());
    EXPECT_NE(text().find("nothing in it has an upstream"), std::string::npos);
}

// A configuration is not to write to somebody's terminal, and may be in any encoding.
TEST_F(ReportTest, BytesThatAreNoText) {
    named("odd.conf",
          "http { server { location /\x1b[2J\xff { gzip on; proxy_pass http://a; } } }");
    EXPECT_EQ(text().find('\x1b'), std::string::npos);
    const json report = json::parse(json_report(diagnosis(), question));
    EXPECT_EQ(report["proxies"][0]["findings"][0]["rule"], "nginx-gzip");
}

TEST_F(ReportTest, JsonHasWhatTheManualSays) {
    named("bad.conf", "http { gzip on;\nserver { location / { proxy_pass http://a; } } }");
    question.system = true;
    const json report = json::parse(json_report(diagnosis(), question));
    EXPECT_EQ(report["version"], 1);
    EXPECT_EQ(report["broken"], true);
    EXPECT_EQ(report["partial"], false);
    EXPECT_EQ(report["system"][0]["check"], "kernel");
    EXPECT_EQ(report["system"][0]["state"], "ok");
    const json& proxy = report["proxies"][0];
    EXPECT_EQ(proxy["program"], "nginx");
    EXPECT_EQ(proxy["pid"], 0);
    EXPECT_EQ(proxy["files"], json::array({question.nginx[0]}));
    EXPECT_EQ(proxy["forwards"], true);
    const json& finding = proxy["findings"][0];
    EXPECT_EQ(finding["concerns"], json::array({"token-unsafe"}));
    EXPECT_EQ(finding["file"], question.nginx[0]);
    EXPECT_EQ(finding["line"], 1);
    EXPECT_EQ(finding["text"], "gzip on");
    EXPECT_EQ(finding["default"], false);
    EXPECT_EQ(finding["places"][0]["line"], 2);
    EXPECT_EQ(finding["places"][0]["text"], "location /");
    const json list = json::parse(json_features(machine));
    EXPECT_EQ(list["version"], 1);
    EXPECT_EQ(list["features"].size(), features().size());
    EXPECT_EQ(
        list["features"][0],
        (json{
            {"feature", "libra"}, {"what", features()[0].what}, {"available", true}, {"why", ""}}));
}

TEST_F(ReportTest, ColoursAreForTerminals) {
    EXPECT_EQ(text_report(diagnosis(), question, false).find('\x1b'), std::string::npos);
    EXPECT_NE(text_report(diagnosis(), question, true).find('\x1b'), std::string::npos);
    EXPECT_EQ(text_features(machine, false).find('\x1b'), std::string::npos);
}

TEST_F(ReportTest, LinesAreNotLongerThanAPage) {
    named("bad.conf", "http { server { location / { gzip on; proxy_pass https://a; } } }");
    std::string_view rest;
    const std::string all = text();
    for (rest = all; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(line.size() + 1);
        if (line.find(question.nginx[0]) == std::string_view::npos) {
            EXPECT_LE(line.size(), 101U) << line;
        }
    }
}

}  // namespace
}  // namespace libra::doctor
