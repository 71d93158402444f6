// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "fake_host.h"
#include "tuning.h"

namespace libra::service {
namespace {

class TuningTest : public testing::Test {
  protected:
    TuningTest() {
        unit_.name = "web.service";
        unit_.program = "/usr/sbin/nginx";
        fake_.write("nginx.conf",
                    "events { worker_connections 512; }\n"
                    "http {\n"
                    "    server {\n"
                    "        listen 80;\n"
                    "        location / { proxy_pass http://10.0.0.1; }\n"
                    "    }\n"
                    "}\n");
        process(77, 1);
        process(78, 77);
        process(90, 1);  // of another service
    }

    void process(int pid, int parent) const {
        const std::string directory = "proc/" + std::to_string(pid);
        fake_.write(directory + "/comm", "nginx\n");
        fake_.write(directory + "/status", "Name:\tnginx\nPPid:\t" + std::to_string(parent) + "\n");
        std::string line =
            "nginx: master process /usr/sbin/nginx -c " + fake_.path("nginx.conf").string();
        line += '\0';
        fake_.write(directory + "/cmdline", line);
    }

    FakeHost fake_;
    Unit unit_;
    Wishes wishes_;
};

TEST_F(TuningTest, NamesFileLineAndWhatItTakes) {
    wishes_.min_block = 4096;
    const Tuning tuning = tuning_of(fake_.host, unit_, {77, 78}, wishes_);
    const auto has = [&](const std::string& text) {
        EXPECT_NE(tuning.text.find(text), std::string::npos) << text << " is not in\n"
                                                             << tuning.text;
    };
    has("nginx, pid 77, ");
    has("nginx.conf:5: proxy_buffers 8 4k (default)");
    has("instead: proxy_buffers 16 64k;");
    has("costs: 16 × 64k + 16k for each of worker_connections 512");
    has("LIBRA_MALLOC_MIN=4096 is in its drop-in");
    EXPECT_EQ(tuning.text.find("runs without libra-malloc.so"), std::string::npos) << tuning.text;
    EXPECT_EQ(tuning.text.find("pid 90"), std::string::npos) << tuning.text;
    ASSERT_EQ(tuning.json.size(), 1U);
    EXPECT_EQ(tuning.json[0]["pid"], 77);
    bool named = false;
    for (const Json& finding : tuning.json[0]["findings"])
        named |= finding["rule"] == "nginx-small-buffers" && finding["line"] == 5;
    EXPECT_TRUE(named) << tuning.json.dump();
}

TEST_F(TuningTest, SaysNothingOfOthers) {
    EXPECT_EQ(tuning_of(fake_.host, unit_, {60, 61}, wishes_).text, "");
    EXPECT_TRUE(tuning_of(fake_.host, unit_, {60, 61}, wishes_).json.empty());
    unit_.program = "/usr/bin/other";
    EXPECT_EQ(tuning_of(fake_.host, unit_, {}, wishes_).text, "");
}

}  // namespace
}  // namespace libra::service
