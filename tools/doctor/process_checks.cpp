// SPDX-License-Identifier: GPL-2.0-only
#include "process_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "size.h"

namespace libra::doctor {
namespace {

struct Process {
    const Machine& machine;
    int pid;

    std::string path(std::string_view name) const { return fmt::format("/proc/{}/{}", pid, name); }
    std::string text(std::string_view name) const { return machine.text(path(name)); }
};

bool is_preloaded(const Process& process) {
    return process.text("maps").find("libra-malloc.so") != std::string::npos;
}

bool has_payload_memory(const Process& process) {
    return process.text("maps").find(" /payload (deleted)") != std::string::npos;
}

void check_preload(const Process& process, std::vector<CheckResult>& out) {
    if (process.text("maps").empty())
        out.push_back({"preload",
                       {State::note,
                        "its memory map may not be read: whether it has payload memory "
                        "is not known",
                        "sudo libractl doctor"}});
    else if (!is_preloaded(process))
        out.push_back({"preload",
                       {State::note, "it runs without libra-malloc.so: not in lazy mode",
                        "libractl attach SERVICE; or in its unit Environment=LD_PRELOAD="
                        "/usr/lib/libra/libra-malloc.so, and restart it"}});
    else if (has_payload_memory(process))
        out.push_back({"preload", {State::ok, "libra-malloc.so, and payload memory", ""}});
    else
        out.push_back(
            {"preload",
             {State::note, "libra-malloc.so, and no payload memory yet, or none to be had",
              "LIBRA_MALLOC_VERBOSE=1 in its environment has it say why"}});
}

void check_device(const Process& process, std::vector<CheckResult>& out) {
    if (!process.machine.has_libra() || !is_preloaded(process) || has_payload_memory(process))
        return;
    if (!process.machine.exists(process.path("root/dev/libra")))
        out.push_back({"device",
                       {State::bad, "it sees no /dev/libra",
                        "libractl attach writes what its unit needs: DeviceAllow=/dev/libra rw "
                        "and BindPaths=-/dev/libra"}});
}

void check_limits(const Process& process, std::vector<CheckResult>& out) {
    const std::string limits = process.text("limits");
    struct Limit {
        const char* label;
        const char* name;
        const char* directive;
    };
    for (const Limit& limit : {Limit{"Max address space", "RLIMIT_AS", "LimitAS"},
                               Limit{"Max data size", "RLIMIT_DATA", "LimitDATA"}}) {
        if (const auto bytes = labelled(limits, limit.label))
            out.push_back({"limits",
                           {State::note,
                            fmt::format("{} is {}: payload memory counts against it, and beyond it "
                                        "blocks come from the C library",
                                        limit.name, format_size(*bytes)),
                            fmt::format("in its unit: {}=infinity", limit.directive)}});
    }
}

void check_locked(const Process& process, std::vector<CheckResult>& out) {
    const auto kilobytes = labelled(process.text("status"), "VmLck:");
    if (!kilobytes || *kilobytes == 0)
        return;
    const auto limit = labelled(process.text("limits"), "Max locked memory");
    out.push_back({"locked",
                   {State::bad,
                    fmt::format("process {} has {} of locked memory (RLIMIT_MEMLOCK is {}): while "
                                "that is so, it receives natively",
                                process.pid, format_size(product(*kilobytes, 1024)),
                                limit ? format_size(*limit) : "unlimited"),
                    "in its unit: LimitMEMLOCK=0, if it goes on without"}});
}

// The least memory.max of its cgroup (v2) and those above.
std::uint64_t cgroup_limit(const Process& process, std::string& where) {
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    const std::string line = process.text("cgroup");
    const std::size_t at = line.find("0::/");
    if (at == std::string::npos)
        return least;
    std::filesystem::path cgroup = line.substr(at + 3, line.find('\n', at) - at - 3);
    for (;; cgroup = cgroup.parent_path()) {
        const auto limit =
            process.machine.number("/sys/fs/cgroup" + cgroup.string() + "/memory.max");
        if (limit && *limit < least) {
            least = *limit;
            where = cgroup.string();
        }
        if (cgroup == cgroup.parent_path())
            return least;
    }
}

void check_cgroup(const Process& process, std::vector<CheckResult>& out) {
    std::string where;
    const std::uint64_t limit = cgroup_limit(process, where);
    const auto most = process.machine.libra_sysctl("max_process_bytes");
    if (!most || limit >= *most)
        return;
    const bool charged = process.machine.is_patched();
    out.push_back(
        {"cgroup",
         {State::note,
          fmt::format("memory.max of {} is {}, less than net.libra.max_process_bytes, {}: {}",
                      where, format_size(limit), format_size(*most),
                      charged ? "at its limit payload is copied"
                              : "a stock kernel does not charge what it keeps, so that comes on "
                                "top of it"),
          charged ? "" : fmt::format("sysctl net.libra.max_process_bytes={}", limit)}});
}

}  // namespace

std::vector<CheckResult> check_processes(const Machine& machine, const Proxy& proxy) {
    std::vector<CheckResult> out;
    if (proxy.processes.empty())
        return out;
    // Workers do the work; where there are none, the first process does.
    const Process worker{machine, proxy.processes.back()};
    check_preload(worker, out);
    check_device(worker, out);
    check_limits(worker, out);
    for (const int pid : proxy.processes)
        check_locked(Process{machine, pid}, out);
    check_cgroup(worker, out);
    return out;
}

}  // namespace libra::doctor
