# SPDX-License-Identifier: GPL-2.0-only
"""What a result must carry for somebody else to repeat it."""

import os
import re
import subprocess

from harness import tlsdev

from . import ROOT, data_path, systems
from .error import BenchError

SYSCTLS = ("net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_congestion_control",
           "net/core/max_skb_frags", "fs/pipe-max-size")
LIBRA_SYSCTLS = "net/libra"


def _first_line(host, argv):
    run = host.run(argv, check=False)
    text = (run["stdout"] + run["stderr"]).strip()
    return text.splitlines()[0] if text else "unknown"


def _optional(host, path):
    run = host.run(["cat", path], check=False)
    return run["stdout"].strip() if run["status"] == 0 else None


def sysctls(host):
    """Those that matter here, and all of Libra's, which are there once it is loaded."""
    listed = host.run(["ls", f"/proc/sys/{LIBRA_SYSCTLS}"], check=False)
    names = [f"{LIBRA_SYSCTLS}/{name}" for name in listed["stdout"].split()]
    return {name.replace("/", "."): value for name in (*SYSCTLS, *names)
            if (value := _optional(host, f"/proc/sys/{name}")) is not None}


def _without_paths(command_line):
    """User-mode Linux is told where files of this machine are, which is of use to nobody else."""
    return command_line and " ".join(word for word in command_line.split() if "=/" not in word)


def check(topology, wanted, clients=(), switches=False):
    """One clear line for what is missing, before anything is measured. switches: devices'
    offloads are switched."""
    built = [("client", systems.CLIENT), ("origin", systems.ORIGIN)]
    built += [("proxy", systems.RELAY)] if any(s.kind == "relay" for s in wanted) else []
    built += [("proxy", systems.MALLOC)] if any(s.malloc for s in wanted) else []
    for role, name in built:
        path = os.path.join(topology.build[role], name)
        if topology.hosts()[role].run(["test", "-x", path], check=False)["status"] != 0:
            raise BenchError(f"{role}: {path} is missing: build it first "
                             f"(cmake --build {topology.build[role]})")
    proxies = {s.kind for s in wanted} & {"nginx", "haproxy"}
    if topology.root:
        for name in sorted(proxies):
            check_libraries(topology.proxy, topology.root, name)
        proxies = set()
    tls = {"openssl"} if any(systems.TLS in s.asked for s in wanted) else set()
    for name in [*sorted(proxies | tls), "strace", "ss", *(["ethtool"] * switches)]:
        if topology.proxy.run(["test", "-x", systems.program(name)], check=False)["status"] != 0:
            raise BenchError(f"proxy: {name} is not installed: run scripts/install-deps bench")
    for name in sorted(set(clients) - {"libra"}):
        if topology.client.run(["test", "-x", systems.program(name)], check=False)["status"] != 0:
            raise BenchError(f"client: {name} is not installed: run scripts/install-deps bench")


def check_libraries(host, root, name):
    """All that a proxy of another root file system loads is from there."""
    loader, *rest = systems.proxy_command(root, name)
    listed = host.run([loader, "--list", *rest], check=False) \
        if host.call("exists", path=loader) else {"status": 127, "stdout": "", "stderr": ""}
    said = [line for line in listed["stderr"].splitlines() if line.strip()]
    if listed["status"] != 0:
        raise BenchError(f"--root: {said[-1] if said else rest[-1] + ' is missing'}")
    for path in re.findall(r" => (\S+)", listed["stdout"]):
        if not path.startswith(f"{root}/"):
            raise BenchError(f"--root: {name} takes {path} from elsewhere")


def accelerator():
    """How the machine runs; scripts/vm tells its guest."""
    return os.environ.get("LIBRA_ACCEL", "native")


def commit():
    run = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"],
                         capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def _aes_gcm(host):
    """Who does it in the kernel: with the processor's instructions, or in C."""
    best = None
    for entry in host.read("/proc/crypto").split("\n\n"):
        fields = dict(map(str.strip, line.split(":", 1)) for line in entry.splitlines()
                      if ":" in line)
        if fields.get("name") == "gcm(aes)":
            best = max(best or (0, ""), (int(fields["priority"]), fields["driver"]))
    return best and best[1]


def describe(topology):
    """The hosts and the programs; what each system runs is added with its first start."""
    proxy = topology.proxy
    cpu = [line.split(":", 1)[1].strip() for line in proxy.read("/proc/cpuinfo").splitlines()
           if line.startswith("model name")]
    return {
        "where": topology.where,
        # A device of the tests is no veth, and no card.
        **({"link": tlsdev.KIND} if topology.shared and topology.tls_device else {}),
        "aes_gcm": _aes_gcm(proxy),
        "accel": accelerator(),
        # What a second of the machine is: its share of a real one, or a number of instructions.
        "clock": "instructions" if os.environ.get("LIBRA_ICOUNT") else "time",
        "kernel_name": os.environ.get("LIBRA_KERNEL", "running"),
        "source": os.environ.get("LIBRA_SOURCE") or commit(),
        "data_path": data_path.fingerprints(),
        "hosts": {role: {"uname": host.uname, "cpus": host.cpus, "pinned": topology.pins[role],
                         "prefix": host.prefix}
                  for role, host in topology.hosts().items()},
        "cpu_model": cpu[0] if cpu else "unknown",
        "memory": proxy.read("/proc/meminfo").splitlines()[0].split(":")[1].strip(),
        "versions": {
            **{name: _first_line(proxy, [*systems.proxy_command(topology.root, name), "-v"])
               for name in ("nginx", "haproxy")},
            "strace": _first_line(proxy, ["strace", "-V"]),
            "wrk": _first_line(topology.client, ["wrk", "-v"]),
            "h2load": _first_line(topology.client, ["h2load", "--version"]),
        },
        "kernel_command_line": _without_paths(_optional(proxy, "/proc/cmdline")),
        "sysctls": sysctls(proxy),
    }
