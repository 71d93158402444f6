# SPDX-License-Identifier: GPL-2.0-only
"""TLS by the proxy's kernel, in software or by a device, and the proof that it was.

OpenSSL says nothing if the kernel does not take its keys, nor does the kernel if the device
does not: then something else would be measured. So the kernel's counters are read before and
after (/proc/net/tls_stat) and, for a device, its driver's (ethtool -S), which have to agree.
"""

import contextlib
import re

from .error import BenchError

TLS_STAT = "/proc/net/tls_stat"
SNMP = "/proc/net/snmp"
SYSCTL = "/proc/sys/net/libra/tls"
FEATURE = "tls-hw-tx-offload"
# Who encrypts; the latter two as in TLS_STAT.
USER, SOFTWARE, DEVICE = "user space", "TlsTxSw", "TlsTxDevice"
# Documentation/networking/tls-offload.rst: what drivers have to call it.
PACKETS, BYTES = (re.compile(f"tx_tls_encrypted_{what}") for what in ("packets", "bytes"))
# Of the connections that the proxy accepted so many may be somebody else's: another ssh to it.
OTHERS = 0.05
# Of what a device sent, headers, handshakes and acknowledgments included.
LEAST = 0.5


def numbers(text):
    """{name: value} of ethtool -S and of /proc/net/tls_stat."""
    return {name: int(value)
            for name, value in re.findall(r"^\s*(.+?)[:\s]+(\d+)\s*$", text, re.MULTILINE)}


def _accepted(host):
    """Connections that were, in the host's network namespace."""
    lines = [line.split() for line in host.run(["cat", SNMP])["stdout"].splitlines()
             if line.startswith("Tcp:")]
    return int(dict(zip(*lines))["PassiveOpens"])


def _sent(host, device):
    """Bytes; sysfs is that of whoever mounted it, whatever namespace asks."""
    for line in host.run(["cat", "/proc/net/dev"])["stdout"].splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == device:
            return int(counts.split()[8])
    return 0


def counters(host, device):
    """The kernel's, and those of the driver of this device and what it sent at all; without one,
    none of the latter."""
    nic = host.run(["ethtool", "-S", device], check=False)["stdout"] if device else ""
    tls = host.run(["cat", TLS_STAT], check=False)["stdout"]
    return {"nic": numbers(nic), "tls": numbers(tls), "accepted": _accepted(host),
            "sent": _sent(host, device)}


def features(host, device, names=(FEATURE,)):
    """{feature: state} as ethtool -k says it."""
    run = host.run(["ethtool", "-k", device])
    states = dict(re.findall(r"^([\w-]+): (.+?)\s*$", run["stdout"], re.MULTILINE))
    return {name: states.get(name, "unknown") for name in names}


def problem(wanted, before, after):
    """Why what happened in between is not what `wanted` says, or None."""
    moved = {name: after["tls"].get(name, 0) - before["tls"].get(name, 0)
             for name in (SOFTWARE, DEVICE)}
    accepted = after["accepted"] - before["accepted"]
    for name, where in ((SOFTWARE, "in software"), (DEVICE, "by the device")):
        if name != wanted and moved[name]:
            return (f"{moved[name]} of {accepted} connections were encrypted {where} "
                    f"({TLS_STAT}: {name})")
    if wanted == USER:
        return None
    if accepted - moved[wanted] > OTHERS * accepted:
        return (f"OpenSSL encrypted in user space: {TLS_STAT} has {moved[wanted]} of {accepted} "
                f"connections ({wanted})")
    return _device_problem(before, after) if wanted == DEVICE else None


def _device_problem(before, after):
    """The same of what the device's driver says."""
    def of_driver(names):
        # Drivers have some of them for each queue as well as for all.
        return max((after["nic"][name] - before["nic"].get(name, 0)
                    for name in after["nic"] if names.search(name)), default=None)

    packets, encrypted = of_driver(PACKETS), of_driver(BYTES)
    sent = after["sent"] - before["sent"]
    if packets is None or encrypted is None:
        return ("the device's driver does not count what it encrypts (tx_tls_encrypted_packets, "
                "..._bytes in ethtool -S), so nobody can tell whether it does")
    if not packets or encrypted < LEAST * sent:
        return (f"{TLS_STAT} has all connections on the device, which encrypted {encrypted} of "
                f"the {sent} bytes that it sent (tx_tls_encrypted_bytes, {packets} packets)")
    return None


@contextlib.contextmanager
def _switched(host, device, on):
    """The device's offload, as it is to be, and then as it was."""
    state = features(host, device)[FEATURE] if device else "off"
    if state.startswith("on") == on:
        yield
        return
    host.run(["ethtool", "-K", device, FEATURE, "on" if on else "off"])
    try:
        yield
    finally:
        host.run(["ethtool", "-K", device, FEATURE, "off" if on else "on"])


@contextlib.contextmanager
def encrypting(topology, system):
    """What system.encrypts says encrypts; behind it nothing else must have."""
    host, device, wanted = topology.proxy, topology.tls_device, system.encrypts
    host.run(["modprobe", "tls"], check=False)
    if wanted != USER and not host.call("exists", path=TLS_STAT):
        raise BenchError(f"{system.name}: the proxy's kernel has no TLS (CONFIG_TLS)")
    if wanted == DEVICE and not device:
        raise BenchError(f"{system.name}: no device of the proxy has {FEATURE}")
    with _switched(host, device, wanted == DEVICE):
        if system.parser:
            host.write(SYSCTL, "1")
        before = counters(host, device)
        try:
            yield
        finally:
            if system.parser:
                host.write(SYSCTL, "0")
        if found := problem(wanted, before, counters(host, device)):
            raise BenchError(f"{system.name}: {found}")
