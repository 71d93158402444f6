// SPDX-License-Identifier: GPL-2.0-only
#include "system_checks.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>

#include <array>
#include <charconv>

#include "size.h"

namespace libra::doctor {
namespace {

using Verdicts = std::vector<Verdict>;
using Module = Machine::Module;

constexpr const char* kVmlinuxBtf = "/sys/kernel/btf/vmlinux";

Verdicts ok(std::string says) {
    return {{State::ok, std::move(says), ""}};
}
Verdicts note(std::string says, std::string mend) {
    return {{State::note, std::move(says), std::move(mend)}};
}
Verdicts bad(std::string says, std::string mend) {
    return {{State::bad, std::move(says), std::move(mend)}};
}

struct Version {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    auto operator<=>(const Version&) const = default;
};

// "6.12.117+deb12-amd64"
Version version_of(std::string_view release) {
    Version version;
    const char* at = release.data();
    const char* const end = release.data() + release.size();
    for (unsigned* part : {&version.major, &version.minor, &version.patch}) {
        at = std::from_chars(at, end, *part).ptr;
        if (at == end || *at != '.')
            break;
        ++at;
    }
    return version;
}

// As in libra-dkms.dkms, with which a test compares it.
constexpr Version kOldest{6, 12, 90};

bool tried(Version version) {
    return (version >= kOldest && version < Version{6, 13, 0}) ||
           (version >= Version{7, 3, 4} && version < Version{7, 4, 0});
}

Verdicts kernel(const Surroundings& around) {
    const std::string release = around.machine.release();
    const Version version = version_of(release);
    if (around.machine.has_libra() || tried(version))
        return ok(fmt::format("Linux {}", release));
    const std::string what = fmt::format(
        "Linux {}: libra.ko is for 6.12, from 6.12.90 on, and 7.3, from 7.3.4 on", release);
    const char* mend =
        "apt-get install linux-image-amd64 on Debian 13, linux-image-6.12-amd64 on 12; reboot";
    return version < kOldest ? bad(what, mend) : note(what + "; this one is not tried", mend);
}

Verdicts types(const Surroundings& around) {
    const Machine& machine = around.machine;
    if (!machine.exists(kVmlinuxBtf))
        return bad("the kernel has no type information (/sys/kernel/btf/vmlinux): no BPF parsers",
                   "a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's");
    if (machine.module("libra") == Module::loaded && !machine.exists("/sys/kernel/btf/libra"))
        return bad("libra was loaded without its type information: BPF finds nothing in it",
                   "scripts/build-module on this machine's own headers, and load that");
    return ok("type information for BPF");
}

Verdicts libra(const Surroundings& around) {
    const Machine& machine = around.machine;
    if (machine.has_libra())
        return ok(machine.is_patched() ? "libra is there (patched kernel)"
                                       : "libra is loaded (stock kernel, hooks by ftrace)");
    if (machine.module("libra") == Module::loadable)
        return bad("libra is not loaded", "modprobe libra");
    return bad("libra is neither loaded nor installed for this kernel",
               fmt::format("apt-get install linux-headers-{} libra-dkms; or from source "
                           "scripts/build-module && scripts/load-module",
                           machine.release()));
}

// The word in brackets: "none [integrity] confidentiality".
std::string chosen(std::string_view text) {
    const std::size_t begin = text.find('[');
    const std::size_t end = text.find(']', begin == std::string_view::npos ? 0 : begin);
    if (begin == std::string_view::npos || end == std::string_view::npos)
        return "none";
    return std::string(text.substr(begin + 1, end - begin - 1));
}

bool has_secure_boot(const Machine& machine) {
    constexpr const char* kVariable =
        "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    // Four bytes of attributes, and one that says it; the kernel's text has no newline to lose.
    const std::string value = machine.text(kVariable);
    return value.size() == 5 && value[4] == 1;
}

Verdicts signing(const Surroundings& around) {
    const Machine& machine = around.machine;
    if (machine.has_libra())
        return {};
    if (machine.number("/proc/sys/kernel/modules_disabled").value_or(0) == 1)
        return bad("kernel.modules_disabled is 1: nothing can be loaded until the next boot",
                   "load libra before it is set: a line libra in /etc/modules-load.d/libra.conf");
    const std::string lockdown = chosen(machine.text("/sys/kernel/security/lockdown"));
    const bool enforced = machine.text("/sys/module/module/parameters/sig_enforce") == "Y";
    if (lockdown == "none" && !enforced)
        return {};
    const std::string why =
        lockdown != "none" ? fmt::format("lockdown is {}", lockdown) : "module.sig_enforce is set";
    return note(
        fmt::format("{}{}: the kernel refuses modules that are not signed by a key it knows", why,
                    has_secure_boot(machine) ? " (Secure Boot)" : ""),
        fmt::format(
            "mokutil --import /var/lib/dkms/mok.pub, reboot and enroll it; one that dkms did "
            "not build is signed by "
            "/usr/src/linux-headers-{}/scripts/sign-file sha256 MOK.priv MOK.der libra.ko",
            machine.release()));
}

Verdicts ftrace(const Surroundings& around) {
    const Machine& machine = around.machine;
    if (machine.is_patched())
        return {};
    const auto enabled = machine.number("/proc/sys/kernel/ftrace_enabled");
    if (!enabled)
        return bad("this kernel has no kernel.ftrace_enabled: a stock kernel is hooked by ftrace",
                   "a kernel with CONFIG_DYNAMIC_FTRACE_WITH_ARGS, as Debian's, or a patched one");
    if (*enabled == 0)
        return bad(
            "kernel.ftrace_enabled is 0: a stock kernel is hooked by ftrace, so nobody gets "
            "payload memory, and nothing is attached",
            "sysctl kernel.ftrace_enabled=1");
    return ok("kernel.ftrace_enabled is 1");
}

Verdicts live_patches(const Surroundings& around) {
    const auto patches = around.machine.list("/sys/kernel/livepatch");
    if (patches.empty() || around.machine.is_patched())
        return {};
    return note(fmt::format("live patches are loaded ({}): one of a function that Libra hooks "
                            "excludes Libra (EBUSY), and the other way round",
                            fmt::join(patches, ", ")),
                "");
}

std::string user_name(uid_t uid) {
    const passwd* entry = getpwuid(uid);  // one thread
    return entry ? entry->pw_name : std::to_string(uid);
}

std::string group_name(gid_t gid) {
    const group* entry = getgrgid(gid);
    return entry ? entry->gr_name : std::to_string(gid);
}

Verdicts device(const Surroundings& around) {
    const Machine& machine = around.machine;
    if (!machine.has_libra())
        return {};
    const auto info = machine.status("/dev/libra");
    if (!info)
        return bad("there is no /dev/libra",
                   "devtmpfs at /dev; in a container: --device /dev/libra; in a unit: "
                   "DeviceAllow=/dev/libra rw and BindPaths=-/dev/libra");
    const std::string who = fmt::format("/dev/libra is {}:{} {:04o}", user_name(info->st_uid),
                                        group_name(info->st_gid), info->st_mode & 07777U);
    if (info->st_mode & 0006U)
        return note(who + ": anybody may use up what the kernel keeps for lazy mode",
                    "chmod 0660 /dev/libra, and the rule tools/udev/60-libra.rules");
    if (info->st_gid == 0)
        return ok(who + ": for what starts as root, as nginx and HAProxy do");
    return ok(fmt::format("{}: for root and group {}", who, group_name(info->st_gid)));
}

// What a sysctl is, where that is not what is wanted.
Verdicts switched_off(const Surroundings& around, const char* name, const char* says,
                      State state = State::bad) {
    const auto value = around.machine.libra_sysctl(name);
    if (!value || *value != 0)
        return {};
    return {{state, fmt::format("net.libra.{} is 0: {}", name, says),
             fmt::format("sysctl net.libra.{}=1", name)}};
}

Verdicts unattached(const Surroundings& around) {
    const auto count = around.machine.libra_sysctl("unattached").value_or(0);
    if (count == 0)
        return {};
    return bad(fmt::format("net.libra.unattached is {}: so many connections could not be attached, "
                           "and nothing is kept in the kernel until they are",
                           count),
               "run librad, which adopts them");
}

Verdicts scrub(const Surroundings& around) {
    return switched_off(around, "scrub",
                        "what is behind a token is left as it was: a proxy that sends it sends "
                        "other clients' data",
                        State::note);
}

Verdicts limits(const Surroundings& around) {
    constexpr std::uint64_t kLittle = 16U << 20;
    Verdicts out;
    for (const char* name : {"max_process_bytes", "max_netns_bytes"}) {
        const auto value = around.machine.libra_sysctl(name);
        if (value && *value < kLittle)
            out.push_back({State::note,
                           fmt::format("net.libra.{} is {}: beyond it everything is copied", name,
                                       format_size(*value)),
                           fmt::format("sysctl net.libra.{}=268435456", name)});
    }
    const auto smallest = around.machine.libra_sysctl("min_anchor");
    if (smallest && *smallest > 65536)
        out.push_back({State::note,
                       fmt::format("net.libra.min_anchor is {}: smaller payload is copied, and "
                                   "lazy mode has no larger run than 64k",
                                   format_size(*smallest)),
                       "sysctl net.libra.min_anchor=4096"});
    return out;
}

Verdicts kernel_tls(const Surroundings& around) {
    const Machine& machine = around.machine;
    const auto on = machine.libra_sysctl("tls");
    if (!machine.exists("/proc/net/tls_stat")) {
        if (machine.module("tls") == Module::missing)
            return note("the kernel has no kernel TLS: TLS is what the proxy does in user space",
                        "");
        return note(
            "the module tls is not loaded: programs encrypt in user space, and do not say "
            "so",
            "modprobe tls, and a line tls in /etc/modules-load.d/tls.conf");
    }
    if (on && *on == 0)
        return note("kernel TLS is there, and net.libra.tls is 0: what it encrypts is copied",
                    "sysctl net.libra.tls=1");
    return ok("kernel TLS is there");
}

bool lists_word(const std::string& text, std::string_view word) {
    return (" " + text + " ").find(fmt::format(" {} ", word)) != std::string::npos;
}

Verdicts ciphers(const Surroundings& around) {
    const Machine& machine = around.machine;
    const std::string cpu = machine.text("/proc/cpuinfo");
    const std::size_t flags = cpu.find("\nflags");
    if (flags == std::string::npos ||
        !lists_word(cpu.substr(flags, cpu.find('\n', flags + 1) - flags), "aes"))
        return {};
    if (machine.module("aesni_intel") == Module::loaded ||
        machine.module("aesni_intel") == Module::built_in)
        return ok("kernel TLS has the processor's AES");
    return note("aesni_intel is not loaded: kernel TLS encrypts in C, some thirty times as slowly",
                "modprobe aesni_intel");
}

Verdicts jit(const Surroundings& around) {
    const auto enabled = around.machine.number("/proc/sys/net/core/bpf_jit_enable");
    if (enabled && *enabled == 0)
        return bad(
            "net.core.bpf_jit_enable is 0: parsers call the kernel, which only compiled BPF "
            "can",
            "sysctl net.core.bpf_jit_enable=1");
    return ok("BPF is compiled");
}

// Of /proc/self/status.
std::optional<std::uint64_t> capability_set(const std::string& status, std::string_view name) {
    const std::size_t at = status.find(fmt::format("{}:\t", name));
    if (at == std::string::npos)
        return {};
    std::uint64_t set = 0;
    const char* digits = status.data() + at + name.size() + 2;
    const auto parsed = std::from_chars(digits, status.data() + status.size(), set, 16);
    return parsed.ec == std::errc() ? std::optional(set) : std::nullopt;
}

Verdicts rights(const Surroundings& around) {
    constexpr std::uint64_t kAdmin = std::uint64_t{1} << CAP_SYS_ADMIN;
    const std::string status = around.machine.text("/proc/self/status");
    const auto bounding = capability_set(status, "CapBnd");
    if (bounding && !(*bounding & kAdmin))
        return bad(
            "CAP_SYS_ADMIN cannot be had here (a container?): librad cannot load its "
            "programs",
            "run librad outside, in the proxy's network namespace: nsenter -t PID -n");
    const auto effective = capability_set(status, "CapEff");
    if (effective && !(*effective & kAdmin))
        return note("doctor does not run as root: it does not see all", "sudo libractl doctor");
    return {};
}

Verdicts librad(const Surroundings& around) {
    const Status reached = around.reach_librad();
    if (reached)
        return ok("librad answers");
    const bool wanted = around.modes == kToken;
    return {
        {wanted ? State::bad : State::note, reached.error().message(),
         wanted ? "start librad" : "start librad, if token mode is wanted: lazy mode needs none"}};
}

Verdicts bpf_file_system(const Surroundings& around) {
    if (around.machine.text("/proc/mounts").find(" bpf ") != std::string::npos)
        return ok("bpffs is mounted: librad.service pins in it");
    return note(
        "bpffs is not mounted: librad.service pins in it, and does not start; only a librad "
        "without --pin does",
        "mount -t bpf bpf /sys/fs/bpf");
}

constexpr std::array kChecks{
    Check{"kernel", kBoth, kernel},
    Check{"types", kToken, types},
    Check{"libra", kBoth, libra},
    Check{"signing", kBoth, signing},
    Check{"ftrace", kBoth, ftrace},
    Check{"livepatch", kBoth, live_patches},
    Check{"device", kLazy, device},
    Check{"lazy", kLazy,
          [](const Surroundings& around) {
              return switched_off(around, "lazy",
                                  "nothing is left in the kernel, and nobody gets payload memory");
          }},
    Check{"feedback", kLazy,
          [](const Surroundings& around) {
              return switched_off(around, "lazy_feedback",
                                  "what is always looked at is left in the kernel all the same",
                                  State::note);
          }},
    Check{"tidy", kLazy,
          [](const Surroundings& around) {
              Verdicts out = switched_off(around, "lazy_tidy_ms",
                                          "what free() keeps is not given back", State::note);
              for (Verdict& verdict : out)
                  verdict.mend = "sysctl net.libra.lazy_tidy_ms=100";
              return out;
          }},
    Check{"token", kToken,
          [](const Surroundings& around) {
              return switched_off(around, "enabled", "token mode keeps nothing in the kernel");
          }},
    Check{"unattached", kToken, unattached},
    Check{"strangers", kToken,
          [](const Surroundings& around) {
              return switched_off(around, "strangers",
                                  "tokens leave by connections that no policy names");
          }},
    Check{"scrub", kToken, scrub},
    Check{"limits", kBoth, limits},
    Check{"ktls", kBoth, kernel_tls},
    Check{"aes", kBoth, ciphers},
    Check{"jit", kToken, jit},
    Check{"rights", kToken, rights},
    Check{"librad", kToken, librad},
    Check{"bpffs", kToken, bpf_file_system},
};

}  // namespace

const char* name_of(State state) {
    switch (state) {
        case State::ok:
            return "ok";
        case State::note:
            return "note";
        case State::bad:
            break;
    }
    return "bad";
}

std::span<const Check> system_checks() {
    return kChecks;
}

std::vector<CheckResult> check_system(const Surroundings& around) {
    std::vector<CheckResult> results;
    for (const Check& check : kChecks) {
        if (!(check.modes & around.modes))
            continue;
        for (Verdict& verdict : check.look(around))
            results.push_back({check.id, std::move(verdict)});
    }
    return results;
}

}  // namespace libra::doctor
