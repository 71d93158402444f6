// SPDX-License-Identifier: GPL-2.0-only
// The files in which a kernel says what it is like. All below one directory, so that tests can
// have another one.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace libra::doctor {

class Machine {
  public:
    explicit Machine(std::filesystem::path root = "/") : root_(std::move(root)) {}

    std::filesystem::path path(std::string_view name) const;
    bool exists(std::string_view name) const;
    std::optional<struct stat> status(std::string_view name) const;
    // Without the newline at its end; "" where there is none or it may not be read.
    std::string text(std::string_view name) const;
    std::optional<std::uint64_t> number(std::string_view name) const;
    // Names in a directory, sorted.
    std::vector<std::string> list(std::string_view name) const;
    std::string link(std::string_view name) const;

    std::string release() const { return text("/proc/sys/kernel/osrelease"); }
    std::optional<std::uint64_t> libra_sysctl(std::string_view name) const;

    // Whether a kernel's module is loaded, built in, or lies where modprobe finds it.
    enum class Module { loaded, built_in, loadable, missing };
    Module module(std::string_view name) const;

    bool has_libra() const { return exists("/proc/net/libra_stat"); }
    // Hooks of its own, so that nothing is redirected by ftrace. Needs the kernel's types.
    bool is_patched() const;

  private:
    bool modules_list(std::string_view list, std::string_view name) const;

    std::filesystem::path root_;
};

// The first number behind a label, in /proc/PID/limits or status; nothing for "unlimited".
std::optional<std::uint64_t> labelled(const std::string& text, std::string_view label);

}  // namespace libra::doctor
