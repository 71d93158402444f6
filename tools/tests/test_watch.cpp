// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <sstream>

#include "quantity.h"
#include "top_view.h"
#include "watch.h"

namespace libra {
namespace {

TEST(Quantity, IsShort) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(999), "999 B");
    EXPECT_EQ(format_bytes(1000), "1.0 kB");
    EXPECT_EQ(format_bytes(12'345'678), "12.3 MB");
    EXPECT_EQ(format_bytes(999'999), "1.0 MB");
    EXPECT_EQ(format_bytes(~0ULL), "18.4 EB");
    EXPECT_EQ(format_rate(-1), "0 B/s");
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(999), "999");
    EXPECT_EQ(format_count(1'234'567), "1 234 567");
    EXPECT_EQ(format_short(67'108'864), "67M");
    EXPECT_EQ(format_short(12), "12");
}

TEST(StatChanges, AreRates) {
    const auto changes = stat_changes({{"attach", 3}, {"lazy_pages", 9}, {"fail_stops", 7}},
                                      {{"attach", 5}, {"lazy_pages", 10}, {"fail_stops", 2}}, 2);
    ASSERT_EQ(changes.size(), 3U);
    EXPECT_DOUBLE_EQ(changes[0].rate, 1);
    EXPECT_EQ(changes[0].total, 5U);
    EXPECT_TRUE(changes[1].gauge);
    EXPECT_DOUBLE_EQ(changes[1].rate, 0);
    EXPECT_DOUBLE_EQ(changes[2].rate, 1) << "it was set back, and counted 2 since";
    const auto json = changes_json(changes, 2);
    EXPECT_EQ(json["stats"]["attach"], 5);
    EXPECT_EQ(json["per_second"]["attach"], 1.0);
    EXPECT_FALSE(json["per_second"].contains("lazy_pages"));
}

TEST(StatChanges, AreSaidInWords) {
    const auto changes =
        stat_changes({}, {{"attach", 4}, {"lazy_rx_bytes", 3'000'000}, {"x", 0}}, 2);
    const auto text = report_changes(changes, false);
    EXPECT_NE(text.find("sockets attached"), std::string::npos) << text;
    EXPECT_NE(text.find("1.5 MB/s"), std::string::npos) << text;
    EXPECT_NE(text.find("3.0 MB"), std::string::npos) << text;
    EXPECT_EQ(text.find("\nx "), std::string::npos) << text;
    EXPECT_NE(report_changes(changes, true).find("\nx "), std::string::npos);
}

class Top : public testing::Test {
  protected:
    Top() {
        Process process;
        process.pid = 700;
        process.cgroup = "/system.slice/a-service-with-a-name-that-is-long.service";
        process.sockets = {11};
        KernelSocket socket;
        socket.inode = 11;
        before_.facts.processes = {process};
        before_.facts.attached = {socket};
        before_.facts.stats = {{"rx_anchored_bytes", 0},
                               {"lazy_rx_bytes", 0},
                               {"fallback_small", 0},
                               {"fail_stops", 0}};
        before_.usage.cpu[700] = 10;
        now_ = before_;
        now_.seconds = 2;
        now_.facts.attached[0].rx.kept = 4'000'000;
        now_.facts.stats = {{"rx_anchored_bytes", 4'000'000},
                            {"lazy_rx_bytes", 2'000'000},
                            {"fallback_small", 20},
                            {"fail_stops", 0}};
        now_.usage.cpu[700] = 11;
        now_.usage.bytes = 500'000'000;
    }

    Moment before_;
    Moment now_;
};

TEST_F(Top, Rates) {
    const auto view = top_view(before_, now_);
    EXPECT_DOUBLE_EQ(view.kept_rate, 3e6);
    ASSERT_EQ(view.services.size(), 1U);
    EXPECT_DOUBLE_EQ(view.services[0].cpu_percent, 50);
    EXPECT_DOUBLE_EQ(view.services[0].kept_rate, 2e6);
    EXPECT_EQ(view.services[0].attached, 1U);
    ASSERT_EQ(view.fallbacks.size(), 1U);
    EXPECT_DOUBLE_EQ(view.fallbacks[0].rate, 10);
    ASSERT_TRUE(view.cpu_per_gb);
    EXPECT_DOUBLE_EQ(*view.cpu_per_gb, 2);
}

TEST_F(Top, FitsIntoATerminal) {
    const auto view = top_view(before_, now_);
    std::istringstream lines(render_top(view, NativeSample{1, 2, 10, 0.9, 1.1}, 80, 24));
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        EXPECT_LE(line.size(), 80U) << line;
    EXPECT_EQ(count, 7U);
    const auto small = render_top(view, std::nullopt, 20, 3);
    EXPECT_EQ(std::count(small.begin(), small.end(), '\n'), 3);
}

TEST_F(Top, SavedIsMeasuredOrNotKnown) {
    const auto view = top_view(before_, now_);
    EXPECT_NE(render_top(view, std::nullopt, 80, 0).find("there is no native sample"),
              std::string::npos);
    EXPECT_TRUE(top_json(view, std::nullopt)["native_sample"].is_null());
    EXPECT_TRUE(sample_text(NativeSample{1, 4, 10, 1, 1}).starts_with("CPU saved: 75 %"));
    EXPECT_TRUE(sample_text(NativeSample{5, 4, 10, 6, 4.1}).starts_with("CPU saved: -25 %"));
    EXPECT_TRUE(sample_text(NativeSample{3, 4, 10, 1.9, 4.1}).starts_with("CPU saved: nothing"));
}

TEST_F(Top, StrangersMakeNoProxy) {
    now_.facts.attached[0].stranger = true;
    EXPECT_TRUE(top_view(before_, now_).services.empty());
}

}  // namespace
}  // namespace libra
