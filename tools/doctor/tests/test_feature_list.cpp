// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "feature_list.h"

namespace libra::doctor {
namespace {

using std::string_view_literals::operator""sv;

class FeatureTest : public MachineTest {
  protected:
    FeatureTest() { good(); }

    // The ids of what is there.
    std::string there() {
        std::string out;
        for (const Feature& feature : features()) {
            const Answer answer = feature.look(machine);
            if (answer.is_there)
                out += std::string(out.empty() ? "" : " ") + feature.id;
            else
                EXPECT_FALSE(answer.why.empty()) << feature.id;
        }
        return out;
    }
};

constexpr const char* kKernelTls = " ktls-transmit ktls-receive ktls-device-transmit";

TEST_F(FeatureTest, StockAndPatched) {
    const std::string stock = std::string("libra hooks lazy token anchor-requests") + kKernelTls;
    EXPECT_EQ(there(), stock);
    file("/sys/kernel/btf/vmlinux", "\0icsk_libra\0"sv);
    file("/proc/sys/kernel/ftrace_enabled", "0\n");
    EXPECT_EQ(there(), stock + " memcg tcp-libra");
}

TEST_F(FeatureTest, WhatIsMissing) {
    sysctl("tls", 0);
    EXPECT_EQ(there(), "libra hooks lazy token anchor-requests");
    sysctl("lazy", 0);
    EXPECT_EQ(there(), "libra hooks token anchor-requests");
    sysctl("enabled", 0);
    EXPECT_EQ(there(), "libra hooks");
    file("/proc/sys/kernel/ftrace_enabled", "0\n");
    EXPECT_EQ(there(), "libra");
    remove("/proc/net/libra_stat");
    EXPECT_EQ(there(), "");
}

TEST_F(FeatureTest, KernelsWithoutTlsInDevices) {
    file("/sys/kernel/btf/tls", "");
    EXPECT_EQ(there(), "libra hooks lazy token anchor-requests ktls-transmit ktls-receive");
    remove("/proc/net/tls_stat");
    EXPECT_EQ(there(), "libra hooks lazy token anchor-requests");
}

TEST_F(FeatureTest, TokenModeNeedsBpf) {
    sysctl("tls", 0);
    file("/proc/sys/net/core/bpf_jit_enable", "0\n");
    EXPECT_EQ(there(), "libra hooks lazy");
    remove("/proc/sys/net/core/bpf_jit_enable");
    EXPECT_EQ(there(), "libra hooks lazy token anchor-requests");
    remove("/sys/kernel/btf/vmlinux");
    EXPECT_EQ(there(), "libra hooks lazy");
}

}  // namespace
}  // namespace libra::doctor
