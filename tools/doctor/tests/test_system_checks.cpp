// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "fake_machine.h"
#include "system_checks.h"

namespace libra::doctor {
namespace {

using std::string_view_literals::operator""sv;

class SystemChecks : public MachineTest {
  protected:
    SystemChecks() { good(); }

    std::vector<CheckResult> results(unsigned modes = kBoth) {
        return check_system({machine, modes, [this]() -> Status {
                                 return librad_answers ? Status(Ok{}) : Status(Error("no librad"));
                             }});
    }

    // "bad ftrace", "note ktls": all that is not ok.
    std::vector<std::string> complaints(unsigned modes = kBoth) {
        std::vector<std::string> out;
        for (const CheckResult& result : results(modes)) {
            if (result.verdict.state != State::ok)
                out.push_back(std::string(name_of(result.verdict.state)) + " " + result.id);
        }
        return out;
    }

    bool librad_answers = true;
};

using Texts = std::vector<std::string>;

TEST_F(SystemChecks, NothingIsWrong) {
    EXPECT_EQ(complaints(), Texts{});
}

TEST_F(SystemChecks, OldKernelsCannotHaveTheModule) {
    remove("/proc/net/libra_stat");
    remove("/sys/module/libra");
    for (const char* release : {"6.1.0-37-amd64", "6.12.89+deb13-amd64", "5.10.0", "6.11.200"}) {
        file("/proc/sys/kernel/osrelease", release);
        EXPECT_EQ(complaints(kLazy), (Texts{"bad kernel", "bad libra"})) << release;
    }
    for (const char* release : {"6.12.90", "6.12.117+deb12-amd64", "7.3.4+deb13-amd64"}) {
        file("/proc/sys/kernel/osrelease", release);
        EXPECT_EQ(complaints(kLazy), Texts{"bad libra"}) << release;
    }
    for (const char* release : {"6.13", "7.0.1", "7.3.3", "7.4"}) {
        file("/proc/sys/kernel/osrelease", release);
        EXPECT_EQ(complaints(kLazy), (Texts{"note kernel", "bad libra"})) << release;
    }
}

// What dkms builds the module for is what the doctor says that it is for.
TEST_F(SystemChecks, SameKernelsAsDkms) {
    std::ifstream file_of_dkms(LIBRA_DKMS);
    const std::string text{std::istreambuf_iterator<char>(file_of_dkms), {}};
    std::smatch found;
    ASSERT_TRUE(std::regex_search(text, found, std::regex("\nBUILD_EXCLUSIVE_KERNEL=\"(.*)\"\n")));
    const std::regex builds(found[1].str());
    remove("/sys/module/libra");
    remove("/proc/net/libra_stat");
    for (const char* version : {"5.10.0", "6.11.200", "6.12.9", "6.12.89", "6.12.90", "6.12.117",
                                "6.12.1000", "6.13.0", "6.13.95", "6.120.95", "7.2.9", "7.3",
                                "7.3.0", "7.3.3", "7.3.4", "7.3.39", "7.4.4", "7.30.4", "17.3.4"}) {
        const std::string release = std::string(version) + "+deb13-amd64";
        file("/proc/sys/kernel/osrelease", release);
        const auto said = complaints(kLazy);
        EXPECT_EQ(std::regex_search(release, builds), said == Texts{"bad libra"}) << release;
    }
}

TEST_F(SystemChecks, TypesAreTokenModes) {
    remove("/sys/kernel/btf/libra");
    EXPECT_EQ(complaints(), Texts{"bad types"});
    EXPECT_EQ(complaints(kLazy), Texts{});
    remove("/sys/kernel/btf/vmlinux");
    EXPECT_EQ(complaints(), Texts{"bad types"});
}

TEST_F(SystemChecks, ModuleThatIsInstalled) {
    remove("/proc/net/libra_stat");
    remove("/sys/module/libra");
    file("/lib/modules/6.12.117+deb12-amd64/modules.dep",
         "kernel/net/notlibra.ko: kernel/a.ko\nupdates/libra.ko.xz:\n");
    const auto all = results(kLazy);
    const auto it = std::ranges::find(all, std::string_view("libra"), &CheckResult::id);
    ASSERT_NE(it, all.end());
    EXPECT_EQ(it->verdict.mend, "modprobe libra");
}

TEST_F(SystemChecks, WhatRefusesModules) {
    remove("/proc/net/libra_stat");
    remove("/sys/module/libra");
    file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    file("/sys/module/module/parameters/sig_enforce", "N\n");
    EXPECT_EQ(complaints(kLazy), Texts{"bad libra"});
    file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
         "\6\0\0\0\1"sv);
    auto all = results(kLazy);
    auto it = std::ranges::find(all, std::string_view("signing"), &CheckResult::id);
    ASSERT_NE(it, all.end());
    EXPECT_TRUE(it->verdict.says.starts_with("lockdown is integrity (Secure Boot): "));
    EXPECT_NE(it->verdict.mend.find("mokutil --import"), std::string::npos);
    file("/sys/kernel/security/lockdown", "[none]\n");
    file("/sys/module/module/parameters/sig_enforce", "Y\n");
    EXPECT_EQ(complaints(kLazy), (Texts{"bad libra", "note signing"}));
    file("/proc/sys/kernel/modules_disabled", "1\n");
    EXPECT_EQ(complaints(kLazy), (Texts{"bad libra", "bad signing"}));
}

TEST_F(SystemChecks, FtraceIsForStockKernels) {
    file("/proc/sys/kernel/ftrace_enabled", "0\n");
    EXPECT_EQ(complaints(), Texts{"bad ftrace"});
    remove("/proc/sys/kernel/ftrace_enabled");
    EXPECT_EQ(complaints(), Texts{"bad ftrace"});
    file("/sys/kernel/livepatch/fix/enabled", "1\n");
    file("/sys/kernel/btf/vmlinux", "\0icsk_libra\0"sv);
    EXPECT_EQ(complaints(), Texts{});
    file("/sys/kernel/btf/vmlinux", "\0not_icsk_libra\0"sv);
    EXPECT_EQ(complaints(), (Texts{"bad ftrace", "note livepatch"}));
}

TEST_F(SystemChecks, TheDeviceIsLazyModes) {
    std::filesystem::permissions(machine.path("/dev/libra"), std::filesystem::perms(0666));
    EXPECT_EQ(complaints(), Texts{"note device"});
    remove("/dev/libra");
    EXPECT_EQ(complaints(), Texts{"bad device"});
    EXPECT_EQ(complaints(kToken), Texts{});
}

// Each of these switches something off, and each complaint says how to switch it on.
TEST_F(SystemChecks, Sysctls) {
    struct Row {
        const char* name;
        unsigned long value;
        unsigned modes;
        const char* complaint;
    };
    const Row rows[] = {
        {"lazy", 0, kLazy, "bad lazy"},
        {"lazy_feedback", 0, kLazy, "note feedback"},
        {"lazy_tidy_ms", 0, kLazy, "note tidy"},
        {"enabled", 0, kToken, "bad token"},
        {"strangers", 0, kToken, "bad strangers"},
        {"scrub", 0, kToken, "note scrub"},
        {"unattached", 3, kToken, "bad unattached"},
        {"tls", 0, kBoth, "note ktls"},
        {"max_process_bytes", 1000, kBoth, "note limits"},
        {"max_netns_bytes", 1000, kBoth, "note limits"},
        {"min_anchor", 1 << 20, kBoth, "note limits"},
    };
    for (const Row& row : rows) {
        good();
        sysctl(row.name, row.value);
        EXPECT_EQ(complaints(), Texts{row.complaint}) << row.name;
        EXPECT_EQ(complaints(row.modes), Texts{row.complaint}) << row.name;
        if (row.modes != kBoth) {
            EXPECT_EQ(complaints(kBoth & ~row.modes), Texts{}) << row.name;
        }
        for (const CheckResult& result : results()) {
            if (result.verdict.state != State::ok) {
                EXPECT_FALSE(result.verdict.mend.empty()) << row.name;
            }
        }
    }
}

TEST_F(SystemChecks, KernelTls) {
    remove("/proc/net/tls_stat");
    const std::string modules = "/lib/modules/6.12.117+deb12-amd64/modules.dep";
    file(modules, "kernel/net/tls/tls.ko.xz:\n");
    const auto mend_of_ktls = [this] {
        const auto all = results();
        return std::ranges::find(all, std::string_view("ktls"), &CheckResult::id)->verdict.mend;
    };
    EXPECT_TRUE(mend_of_ktls().starts_with("modprobe tls"));
    file(modules, "");
    EXPECT_EQ(mend_of_ktls(), "");
}

TEST_F(SystemChecks, TheProcessorsAes) {
    remove("/sys/module/aesni_intel");
    EXPECT_EQ(complaints(), Texts{"note aes"});
    file("/lib/modules/6.12.117+deb12-amd64/modules.builtin",
         "kernel/arch/x86/crypto/aesni-intel.ko\n");
    EXPECT_EQ(complaints(), Texts{});
    remove("/lib/modules");
    file("/proc/cpuinfo", "processor : 0\nflags\t\t: fpu aesy\n");
    EXPECT_EQ(complaints(), Texts{});
}

TEST_F(SystemChecks, Bpf) {
    file("/proc/sys/net/core/bpf_jit_enable", "0\n");
    EXPECT_EQ(complaints(), Texts{"bad jit"});
    EXPECT_EQ(complaints(kLazy), Texts{});
}

TEST_F(SystemChecks, LibradOfThePackagePinsInBpffs) {
    EXPECT_EQ(complaints(), Texts{});
    const auto bpffs = [this] {
        const auto all = results();
        return std::ranges::find(all, std::string_view("bpffs"), &CheckResult::id)->verdict.says;
    };
    EXPECT_NE(bpffs().find("librad.service pins"), std::string::npos);
    file("/proc/mounts", "proc /proc proc rw 0 0\n");
    EXPECT_EQ(complaints(), Texts{"note bpffs"});
    EXPECT_EQ(complaints(kLazy), Texts{});
}

TEST_F(SystemChecks, Rights) {
    file("/proc/self/status", "CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n");
    EXPECT_EQ(complaints(), Texts{"note rights"});
    file("/proc/self/status", "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n");
    EXPECT_EQ(complaints(), Texts{"bad rights"});
    EXPECT_EQ(complaints(kLazy), Texts{});
}

// Lazy mode alone needs none.
TEST_F(SystemChecks, Librad) {
    librad_answers = false;
    EXPECT_EQ(complaints(), Texts{"note librad"});
    EXPECT_EQ(complaints(kToken), Texts{"bad librad"});
    EXPECT_EQ(complaints(kLazy), Texts{});
}

TEST_F(SystemChecks, HaveNamesOfTheirOwn) {
    std::set<std::string_view> ids;
    for (const Check& check : system_checks())
        EXPECT_TRUE(ids.insert(check.id).second) << check.id;
}

}  // namespace
}  // namespace libra::doctor
