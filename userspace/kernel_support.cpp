// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_support.h"

#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/libra.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <thread>

#include "kernel_stats.h"

namespace libra {
namespace {

constexpr const char* kModuleBtf = "/sys/kernel/btf/libra";
constexpr const char* kVmlinuxBtf = "/sys/kernel/btf/vmlinux";

struct BtfDeleter {
    void operator()(btf* handle) const { btf__free(handle); }
};
using Btf = std::unique_ptr<btf, BtfDeleter>;

std::filesystem::path below(const std::filesystem::path& root, const char* path) {
    return root / std::filesystem::path(path).relative_path();
}

Status check_struct_size(const btf* kernel, const char* name, std::size_t ours) {
    const int id = btf__find_by_name_kind(kernel, name, BTF_KIND_STRUCT);
    const long long theirs = id < 0 ? -1 : btf__resolve_size(kernel, static_cast<__u32>(id));
    if (theirs == static_cast<long long>(ours))
        return Ok{};
    return Error(fmt::format("the kernel's libra is of another version than librad (struct {}: "
                             "{} bytes there, {} here); build and load both from one source tree",
                             name, theirs, ours),
                 EPROTO);
}

}  // namespace

Status check_kernel_files(const std::filesystem::path& root) {
    std::error_code error;
    if (!std::filesystem::exists(below(root, kStatFile), error))
        return Error(
            "libra: kernel support not found: load the module (modprobe libra, or in its source "
            "tree scripts/load-module) or boot the patched kernel",
            ENOENT);
    if (!std::filesystem::exists(below(root, kVmlinuxBtf), error))
        return Error(fmt::format("{} is missing: this kernel has no type information for BPF; "
                                 "use one built with CONFIG_DEBUG_INFO_BTF",
                                 kVmlinuxBtf),
                     ENOENT);
    return Ok{};
}

Status check_kernel_abi() {
    const Btf base(btf__load_vmlinux_btf());
    if (!base)
        return Error::from_errno(kVmlinuxBtf);
    // Built in, libra's types are among the kernel's own.
    Btf module;
    if (access(kModuleBtf, F_OK) == 0) {
        module.reset(btf__load_module_btf("libra", base.get()));
        if (!module)
            return Error::from_errno(kModuleBtf);
    }
    const btf* kernel = module ? module.get() : base.get();
    if (btf__find_by_name_kind(kernel, "bpf_libra_attach", BTF_KIND_FUNC) < 0)
        return Error(fmt::format("the kernel's libra offers nothing to BPF: {}; rebuild libra.ko "
                                 "against the headers of the running kernel",
                                 module ? "bpf_libra_attach is missing from its types"
                                        : "it was loaded without its types"),
                     ENOENT);
    if (auto status = check_struct_size(kernel, "libra_attach", sizeof(libra_attach)); !status)
        return status;
    return check_struct_size(kernel, "libra_ctx", sizeof(libra_ctx));
}

Status check_privileges() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    if (syscall(SYS_capget, &header, data))
        return Error::from_errno("cannot read the capabilities");
    // BPF, PERFMON and NET_ADMIN will not do: the kernel hands a module's BTF by id to
    // SYS_ADMIN only, and without it neither the module's kfuncs nor its struct_ops are found.
    // For all else that bpf() asks for, SYS_ADMIN includes those three.
    if (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN))
        return Ok{};
    return Error(
        "librad loads BPF programs that use a module's types, which takes CAP_SYS_ADMIN: run it "
        "as root, and in a unit keep CAP_SYS_ADMIN in CapabilityBoundingSet=",
        EPERM);
}

bool libra_enabled() {
    std::ifstream file("/proc/sys/net/libra/enabled");
    int enabled = 1;
    file >> enabled;
    return enabled != 0;
}

bool wait_for_anchors(std::chrono::milliseconds longest) {
    const auto end = std::chrono::steady_clock::now() + longest;
    for (;;) {
        const auto stats = read_kernel_stats();
        if (!stats)
            return false;
        const auto live = std::find_if(stats->begin(), stats->end(), [](const auto& stat) {
            return stat.first == "anchors_live";
        });
        if (live == stats->end() || live->second == 0)
            return true;
        if (std::chrono::steady_clock::now() >= end)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

}  // namespace libra
