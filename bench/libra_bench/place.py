# SPDX-License-Identifier: GPL-2.0-only
"""What a result says of the machine that it was measured on."""

# accel: what every title says of it, and what a report begins with.
PLACES = {
    "tcg": ("emulated, TCG", "**All figures here are emulated**: QEMU interpreted the "
            "instructions. Copies are much dearer then than on hardware, system calls less so; a "
            "ratio here is no ratio on hardware."),
    "um": ("user-mode Linux", "**User-mode Linux**: copies at the native speed of the machine, "
           "system calls and page faults many times dearer than on hardware, one processor for all "
           "roles. All programs keep the memory that they free, because faults would hide the "
           "rest. Parsers are in C, and the proxy's connections are attached by what is preloaded "
           "into it."),
}


def _place(result):
    accel = result["configuration"]["accel"]
    return PLACES.get(accel, (accel, ""))


TEST_DEVICE = ("**Its link between client and proxy is a test's device**: its threads, which are "
               "charged to nobody, encrypt for it and do the softirqs of what arrives. Proxy CPU "
               "says something here; throughput, latency and machine time do not.")


def warning(result):
    """What a report of it begins with; nothing on hardware."""
    device = result["configuration"].get("link") == "tlsdev"
    return "\n\n".join(said for said in (_place(result)[1], device and TEST_DEVICE) if said)


def suffix(result):
    """What every title and table of a run says of where its figures are from."""
    configuration = result["configuration"]
    how, _ = _place(result)
    if configuration.get("clock") == "instructions":
        how += ", 1 ns = 1 instruction"
    return f"({configuration['kernel_name']} kernel, {how})"


def clock_note(result):
    """What is wrong with clocks of instructions on several CPUs; nothing on one."""
    configuration = result["configuration"]
    cpus = configuration["hosts"]["proxy"]["cpus"]
    if configuration.get("clock") != "instructions" or cpus < 2:
        return ""
    return (f"**Its clocks are not a process's own**: {cpus} virtual CPUs shared one clock of "
            "instructions, so a process was charged for what the other ran meanwhile as well.")
