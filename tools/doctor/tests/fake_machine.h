// SPDX-License-Identifier: GPL-2.0-only
// A machine that is a temporary directory.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "machine.h"

namespace libra::doctor {

class MachineTest : public testing::Test {
  protected:
    MachineTest()
        : root_(std::filesystem::temp_directory_path() /
                ("libra-doctor-" + std::to_string(getpid()))),
          machine(root_) {
        std::filesystem::create_directories(root_);
    }
    ~MachineTest() override { std::filesystem::remove_all(root_); }

    void file(std::string_view name, std::string_view text) {
        const auto path = machine.path(name);
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
    }
    void link(std::string_view name, std::string_view target) {
        const auto path = machine.path(name);
        std::filesystem::create_directories(path.parent_path());
        std::filesystem::create_symlink(target, path);
    }
    void remove(std::string_view name) { std::filesystem::remove_all(machine.path(name)); }

    // Debian's kernel with libra.ko, on which nothing is wrong.
    void good() {
        using std::string_view_literals::operator""sv;
        file("/proc/sys/kernel/osrelease", "6.12.117+deb12-amd64\n");
        file("/sys/kernel/btf/vmlinux", "\0icsk_ulp_data\0"sv);
        file("/sys/kernel/btf/libra", "");
        file("/sys/kernel/btf/tls", "\0tls_set_device_offload\0"sv);
        file("/sys/module/libra/initstate", "live\n");
        file("/sys/module/aesni_intel/initstate", "live\n");
        file("/proc/cpuinfo", "processor : 0\nflags\t\t: fpu aes avx\n");
        file("/proc/net/libra_stat", "");
        file("/proc/net/tls_stat", "");
        file("/proc/sys/kernel/ftrace_enabled", "1\n");
        file("/proc/sys/net/core/bpf_jit_enable", "1\n");
        file("/proc/mounts", "bpf /sys/fs/bpf bpf rw 0 0\n");
        file("/proc/self/status",
             "Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n");
        file("/dev/libra", "");
        std::filesystem::permissions(machine.path("/dev/libra"), std::filesystem::perms(0660));
        for (const char* name : {"lazy", "lazy_feedback", "enabled", "strangers", "scrub", "tls"})
            sysctl(name, 1);
        sysctl("lazy_tidy_ms", 100);
        sysctl("unattached", 0);
        sysctl("min_anchor", 4096);
        sysctl("max_process_bytes", 268435456);
        sysctl("max_netns_bytes", 536870912);
    }
    void sysctl(std::string_view name, unsigned long value) {
        file("/proc/sys/net/libra/" + std::string(name), std::to_string(value) + "\n");
    }

  private:
    std::filesystem::path root_;

  protected:
    Machine machine;
};

}  // namespace libra::doctor
