// SPDX-License-Identifier: GPL-2.0-only
#include "feature_list.h"

#include <fmt/format.h>

#include <array>

namespace libra::doctor {
namespace {

Answer yes(std::string what = "") {
    return {true, std::move(what)};
}
Answer no(std::string why) {
    return {false, std::move(why)};
}

Answer libra(const Machine& machine) {
    return machine.has_libra() ? yes() : no("libra is not loaded");
}

Answer hooks(const Machine& machine) {
    if (const Answer there = libra(machine); !there.is_there)
        return there;
    if (machine.is_patched())
        return yes("of a patched kernel: nothing is redirected");
    if (machine.number("/proc/sys/kernel/ftrace_enabled").value_or(0) == 0)
        return no("kernel.ftrace_enabled is 0, and this is a stock kernel");
    return yes("of a stock kernel, by ftrace, while somebody uses them");
}

Answer lazy(const Machine& machine) {
    if (const Answer there = hooks(machine); !there.is_there)
        return there;
    if (machine.libra_sysctl("lazy") == 0)
        return no("net.libra.lazy is 0");
    if (!machine.exists("/dev/libra"))
        return no("there is no /dev/libra here");
    return yes();
}

Answer token(const Machine& machine) {
    if (const Answer there = hooks(machine); !there.is_there)
        return there;
    if (machine.libra_sysctl("enabled") == 0)
        return no("net.libra.enabled is 0");
    if (machine.libra_sysctl("unattached").value_or(0) != 0)
        return no("net.libra.unattached is not 0");
    if (!machine.exists("/sys/kernel/btf/vmlinux"))
        return no("the kernel has no type information for BPF");
    if (machine.number("/proc/sys/net/core/bpf_jit_enable") == 0)
        return no("net.core.bpf_jit_enable is 0");
    return yes("for HTTP/1, TLS that is routed by its server name, and TCP");
}

Answer requests(const Machine& machine) {
    Answer answer = token(machine);
    if (answer.is_there)
        answer.why = "with libractl attach --anchor-requests";
    return answer;
}

Answer kernel_tls(const Machine& machine) {
    if (const Answer there = hooks(machine); !there.is_there)
        return there;
    if (!machine.exists("/proc/net/tls_stat"))
        return no(machine.module("tls") == Machine::Module::missing
                      ? "the kernel has no module tls"
                      : "the module tls is not loaded");
    if (machine.libra_sysctl("tls").value_or(0) == 0)
        return no("net.libra.tls is 0");
    return yes();
}

Answer kernel_tls_sent(const Machine& machine) {
    Answer answer = kernel_tls(machine);
    if (answer.is_there)
        answer.why = "token mode; lazy mode for programs that do not copy first";
    return answer;
}

Answer kernel_tls_received(const Machine& machine) {
    Answer answer = kernel_tls(machine);
    if (answer.is_there)
        answer.why = "token mode only; lazy mode copies it";
    return answer;
}

// A function of tls_device.c is among the types of whoever has it.
Answer device_tls(const Machine& machine) {
    static constexpr std::string_view kFunction("\0tls_set_device_offload\0", 24);
    if (const Answer there = kernel_tls(machine); !there.is_there)
        return there;
    for (const char* types : {"/sys/kernel/btf/tls", "/sys/kernel/btf/vmlinux"}) {
        if (machine.text(types).find(kFunction) != std::string::npos)
            return yes("what is sent; where ethtool -k shows tls-hw-tx-offload: on");
    }
    return no("the kernel has no CONFIG_TLS_DEVICE");
}

Answer patched_only(const Machine& machine, const char* otherwise) {
    if (const Answer there = libra(machine); !there.is_there)
        return there;
    return machine.is_patched() ? yes() : no(otherwise);
}

constexpr std::array kFeatures{
    Feature{"libra", "libra, the module or in the kernel", libra},
    Feature{"hooks", "hooks in the kernel's TCP", hooks},
    Feature{"lazy", "lazy mode", lazy},
    Feature{"token", "token mode", token},
    Feature{"anchor-requests", "token mode for request bodies", requests},
    Feature{"ktls-transmit", "what kernel TLS encrypts", kernel_tls_sent},
    Feature{"ktls-receive", "what kernel TLS decrypts", kernel_tls_received},
    Feature{"ktls-device-transmit", "what a device encrypts", device_tls},
    Feature{"ktls-device-receive", "what a device decrypts",
            [](const Machine&) { return no("it is received natively"); }},
    Feature{"memcg", "anchors are charged to the memory cgroup",
            [](const Machine& machine) {
                return patched_only(machine, "a stock kernel offers a module no way to do so");
            }},
    Feature{"tcp-libra", "the socket option TCP_LIBRA",
            [](const Machine& machine) {
                return patched_only(machine, "a stock kernel does not know it");
            }},
    Feature{"mptcp", "MPTCP",
            [](const Machine&) { return no("it is received and sent natively"); }},
    Feature{"http2", "HTTP/2",
            [](const Machine&) {
                return no("no parser reads it: natively in token mode; lazy mode needs none");
            }},
    Feature{"http3", "HTTP/3",
            [](const Machine&) { return no("it is UDP, which Libra does not see"); }},
};

}  // namespace

std::span<const Feature> features() {
    return kFeatures;
}

}  // namespace libra::doctor
