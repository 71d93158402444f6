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
SYSCTL = "/proc/sys/net/libra/tls"
FEATURE = "tls-hw-tx-offload"
SOFTWARE, DEVICE = "TlsTxSw", "TlsTxDevice"
# Documentation/networking/tls-offload.rst: what drivers have to call it.
ENCRYPTED = re.compile(r"tx_tls_encrypted_(packets|bytes)")


def numbers(text):
    """{name: value} of ethtool -S and of /proc/net/tls_stat."""
    return {name: int(value)
            for name, value in re.findall(r"^\s*(.+?)[:\s]+(\d+)\s*$", text, re.MULTILINE)}


def counters(host, device):
    """The kernel's, and those of the driver of this device; without one, none of the latter."""
    nic = host.run(["ethtool", "-S", device], check=False)["stdout"] if device else ""
    tls = host.run(["cat", TLS_STAT], check=False)["stdout"]
    return {"nic": numbers(nic), "tls": numbers(tls)}


def features(host, device, names=(FEATURE,)):
    """{feature: state} as ethtool -k says it."""
    run = host.run(["ethtool", "-k", device])
    states = dict(re.findall(r"^([\w-]+): (.+?)\s*$", run["stdout"], re.MULTILINE))
    return {name: states.get(name, "unknown") for name in names}


def problem(wanted, before, after):
    """Why what happened in between is not what `wanted` (SOFTWARE or DEVICE) says, or None."""
    moved = {name: after["tls"].get(name, 0) - before["tls"].get(name, 0)
             for name in (SOFTWARE, DEVICE)}
    other = SOFTWARE if wanted == DEVICE else DEVICE
    if not any(moved.values()):
        return "OpenSSL encrypted in user space"
    if moved[other]:
        return (f"{moved[other]} of {sum(moved.values())} connections were encrypted "
                f"{'in software' if other == SOFTWARE else 'by the device'} ({TLS_STAT}: {other})")
    if wanted == SOFTWARE:
        return None
    names = [name for name in after["nic"] if ENCRYPTED.search(name)]
    if not names:
        return ("the device's driver does not count what it encrypts (tx_tls_encrypted_packets "
                "in ethtool -S), so nobody can tell whether it does")
    still = [name for name in names if after["nic"][name] == before["nic"].get(name, 0)]
    # Drivers have some of them for each queue.
    if len(still) == len(names):
        return (f"{TLS_STAT} has {moved[DEVICE]} connections on the device, and it has encrypted "
                f"nothing ({', '.join(still[:3])} did not move)")
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
    host, device = topology.proxy, topology.tls_device
    host.run(["modprobe", "tls"], check=False)
    if not host.call("exists", path=TLS_STAT):
        raise BenchError(f"{system.name}: the proxy's kernel has no TLS (CONFIG_TLS)")
    if system.encrypts == DEVICE and not device:
        raise BenchError(f"{system.name}: no device of the proxy has {FEATURE}")
    with _switched(host, device, system.encrypts == DEVICE):
        if system.parser:
            host.write(SYSCTL, "1")
        before = counters(host, device)
        try:
            yield
        finally:
            if system.parser:
                host.write(SYSCTL, "0")
        if found := problem(system.encrypts, before, counters(host, device)):
            raise BenchError(f"{system.name}: {found}")
