# SPDX-License-Identifier: GPL-2.0-only
"""The same run on real hosts over ssh, or on namespaces that stand in for them.

A host is a role whose agent starts behind `ssh`. Beyond that, remote is: the check that
the proxy's NIC can offload kTLS where that is to be measured, the NICs' interrupts kept off
the CPUs that are measured, and their counters in the result.
"""

import contextlib
import re
import tomllib

from . import kernel_tls, topology
from .error import BenchError
from .transport import Host

FEATURES = ("tls-hw-tx-offload", "tls-hw-rx-offload")
KERNEL = (6, 12)
KEYS = {"ssh", "tree", "build", "address", "interface", "cpus"}
NEEDED = ("ssh", "tree", "address", "interface")


class Remote(topology.Topology):
    """A topology that also knows its NICs."""

    def begin(self, interfaces, waived):
        self.interfaces = interfaces
        self.waived = waived
        self.before = self._counters()
        self.nics = {role: self._nic(role) for role in interfaces}

    def _nic(self, role):
        host = getattr(self, role)
        return {"interface": self.interfaces[role],
                "driver": host.run(["ethtool", "-i", self.interfaces[role]])["stdout"],
                "features": kernel_tls.features(host, self.interfaces[role], FEATURES)}

    def _counters(self):
        return {role: kernel_tls.counters(getattr(self, role), device)
                for role, device in self.interfaces.items()}

    def records(self):
        """What goes into the result: the NICs, and their counters before and after."""
        return {"nics": self.nics, "waived": self.waived, "before": self.before,
                "after": self._counters()}


def version(release):
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def missing(role, host, device, tls=False):
    """What a host lacks, one line for each. tls: its NIC is to encrypt."""
    if version(host.uname[2]) < KERNEL:
        yield f"{role}: kernel {host.uname[2]}, {KERNEL[0]}.{KERNEL[1]} or later is needed"
    if host.run(["sh", "-c", "command -v ethtool"], check=False)["status"] != 0:
        yield f"{role}: ethtool is not installed: apt-get install ethtool"
        return
    if host.run(["ethtool", "-i", device], check=False)["status"] != 0:
        yield f"{role}: there is no interface {device}, or it has no driver to ask"
        return
    if not tls:
        return
    if host.run(["test", "-e", kernel_tls.TLS_STAT], check=False)["status"] != 0:
        yield f"{role}: the kernel has no TLS: modprobe tls"
    state = kernel_tls.features(host, device)[kernel_tls.FEATURE]
    if "fixed" in state or state == "unknown":
        yield (f"{role}: {device} has no {kernel_tls.FEATURE} ({state}): it takes a card, a driver "
               "and a kernel with CONFIG_TLS_DEVICE that have it")
    elif not state.startswith("on"):
        yield (f"{role}: {device} has {kernel_tls.FEATURE} {state}: "
               f"ethtool -K {device} {kernel_tls.FEATURE} on")


def read_hosts(path):
    try:
        with open(path, "rb") as text:
            tables = tomllib.load(text)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path}: {error}") from None
    for role in topology.ROLES:
        if role not in tables:
            raise BenchError(f"{path}: no table [{role}]")
        if unknown := set(tables[role]) - KEYS:
            raise BenchError(f"{path}: [{role}]: unknown key '{min(unknown)}'")
        for key in NEEDED:
            if key not in tables[role]:
                raise BenchError(f"{path}: [{role}]: '{key}' is missing")
    return tables


@contextlib.contextmanager
def pinned_interrupts(host, device, away_from):
    """The NIC's interrupts on the CPUs that nothing measured runs on, for a while."""
    others = sorted(set(range(host.cpus)) - set(away_from or []))
    listed = host.run(["sh", "-c", f"ls /sys/class/net/{device}/device/msi_irqs"], check=False)
    old = {}
    try:
        for number in listed["stdout"].split() if away_from and others else []:
            path = f"/proc/irq/{number}/smp_affinity_list"
            with contextlib.suppress(BenchError):   # some are managed by their driver
                before = host.read(path).strip()
                host.write(path, ",".join(map(str, others)))
                old[path] = before
        yield
    finally:
        for path, before in old.items():
            host.write(path, before)


@contextlib.contextmanager
def _over_ssh(path):
    if not path:
        raise BenchError("--where remote needs --hosts FILE (see bench/remote/hosts.example.toml) "
                         "or --remote-stand-in netns")
    tables = read_hosts(path)
    with contextlib.ExitStack() as stack:
        hosts = {role: stack.enter_context(Host(
            role, ["ssh", "-o", "BatchMode=yes", tables[role]["ssh"]],
            f"{tables[role]['tree']}/bench/libra_bench/agent.py")) for role in topology.ROLES}
        place = Remote(
            **hosts, where="remote", shared=False,
            proxy_address=tables["proxy"]["address"], origin_address=tables["origin"]["address"],
            pins={role: tables[role].get("cpus") for role in topology.ROLES},
            build={role: tables[role].get("build") or f"{tables[role]['tree']}/build"
                   for role in topology.ROLES})
        yield place, {role: tables[role]["interface"] for role in topology.ROLES}


@contextlib.contextmanager
def _stand_in(build, tls, libra_ko):
    with topology.namespaces(build, tls, libra_ko) as inner:
        yield (Remote(**{**vars(inner), "where": "remote"}),
               {"client": "toproxy", "proxy": "toclient", "origin": "toproxy"})


@contextlib.contextmanager
def hosts(path, stand_in, build, tls=False, libra_ko=None):
    """The topology of a remote run, checked; what namespaces cannot have is waived for them.
    tls: the proxy's NIC is to encrypt."""
    with contextlib.ExitStack() as stack:
        place, interfaces = stack.enter_context(_stand_in(build, tls, libra_ko) if stand_in
                                                else _over_ssh(path))
        lacks = [line for role, host in place.hosts().items()
                 for line in missing(role, host, interfaces[role], tls and role == "proxy")]
        fatal = [line for line in lacks if not stand_in or "ethtool is not" in line]
        if fatal:
            more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
            raise BenchError(fatal[0] + more)
        place.tls_device = interfaces["proxy"] if kernel_tls.features(
            place.proxy, interfaces["proxy"])[kernel_tls.FEATURE].startswith("on") else ""
        place.begin(interfaces, lacks)
        for role, host in place.hosts().items():
            stack.enter_context(pinned_interrupts(host, interfaces[role], place.pins[role]))
        yield place
