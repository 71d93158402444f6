# SPDX-License-Identifier: GPL-2.0-only
"""Client, proxy and origin, each on its own: where they are and how they are joined.

    client 10.91.1.1 ── veth ── 10.91.1.2 proxy 10.91.2.2 ── veth ── 10.91.2.1 origin

veth, not a loopback: what crosses it goes through the whole stack, and the proxy's
kernel work is done in the proxy's namespace. "Direct" is the same two hops, with the
proxy's namespace as a router.

Where a device is to encrypt, the left link is a pair of the tests' own devices with TLS
offload (kernel-patches/new/tools/testing/selftests/net/libra/tlsdev): software like all else
here, but in threads of its own, so what a card would do is charged to nobody.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass

from harness import tlsdev

from .error import BenchError
from .transport import Host

ROLES = ("client", "proxy", "origin")
NAMESPACE = ("unshare", "--net")
DEVICES = (("client", "toproxy", "10.91.1.1/24"), ("proxy", "toclient", "10.91.1.2/24"),
           ("proxy", "toorigin", "10.91.2.2/24"), ("origin", "toproxy", "10.91.2.1/24"))
# On as links are made. A veth has gro only when told.
OFFLOADS = ("tso", "gso")


@dataclass
class Topology:
    client: Host
    proxy: Host
    origin: Host
    proxy_address: str      # where clients find the proxy
    origin_address: str     # where the proxy (and "direct") finds the origin
    pins: dict              # role: list of CPUs, or None
    where: str
    build: dict             # role: the build directory there
    shared: bool = True     # the roles are on one machine
    root: str = ""          # the root file system that the proxies are from, if not the machine's
    tls_device: str = ""    # the proxy's interface towards the clients, if it can do TLS

    offloaded: bool = True  # links carry what is larger than a segment

    def hosts(self):
        return {role: getattr(self, role) for role in ROLES}

    def offload(self, wanted):
        """False: each link carries single segments of its MTU, so that what is received has
        fragments as small as those of a network card. True: as links are."""
        if wanted == self.offloaded:
            return
        if not self.shared:
            raise BenchError("'offload' is of the links between namespaces, not of hosts")
        for role, device, _ in DEVICES:
            getattr(self, role).run(["ethtool", "-K", device, "gro", "off", *(
                word for name in OFFLOADS for word in (name, "on" if wanted else "off"))])
        self.offloaded = wanted


def pins_for(cpus):
    """A CPU for each role, if there are enough; sharing by pinning would be worse than none."""
    if cpus < len(ROLES):
        return dict.fromkeys(ROLES)
    return {role: [index] for index, role in enumerate(ROLES)}


def _ip(*arguments):
    run = subprocess.run(["ip", *map(str, arguments)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise BenchError(f"ip {' '.join(map(str, arguments))}: {run.stderr.strip()}")


def _join_veth(client, proxy):
    _ip("link", "add", "toproxy", "netns", client.pid, "type", "veth",
        "peer", "name", "toclient", "netns", proxy.pid)


def _join_tls(client, proxy):
    """As cards do, it takes what is larger than a segment."""
    proxy.run(["ip", "link", "add", "name", "toclient", "type", tlsdev.KIND])
    proxy.run(["ip", "link", "set", "dev", "toclientp", "netns", str(client.pid),
               "name", "toproxy"])
    for host, device in ((client, "toproxy"), (proxy, "toclient")):
        host.run(["ethtool", "-K", device, "tso", "on"])


def join(client, proxy, origin, tls=False):
    """Links between three namespaces, and the way across."""
    (_join_tls if tls else _join_veth)(client, proxy)
    _ip("link", "add", "toproxy", "netns", origin.pid, "type", "veth",
        "peer", "name", "toorigin", "netns", proxy.pid)
    roles = {"client": client, "proxy": proxy, "origin": origin}
    for role, device, address in DEVICES:
        host = roles[role]
        host.run(["ip", "link", "set", "lo", "up"])
        host.run(["ip", "address", "add", address, "dev", device])
        host.run(["ip", "link", "set", device, "up"])
    client.run(["ip", "route", "add", "default", "via", "10.91.1.2"])
    origin.run(["ip", "route", "add", "default", "via", "10.91.2.2"])
    proxy.write("/proc/sys/net/ipv4/ip_forward", "1")


@contextlib.contextmanager
def _tls_devices(build, libra_ko):
    """Their module, unless it is there."""
    if tlsdev.loaded():
        yield
        return
    try:
        tlsdev.load(build, libra_ko)
    except RuntimeError as error:
        raise BenchError(f"there is no network device with TLS offload here ({error}): use "
                         "--where vm, or --where remote on hosts that have one") from None
    try:
        yield
    finally:
        # Namespaces that ended go with their devices, some time later. One that stays is no
        # reason to lose a result.
        with contextlib.suppress(RuntimeError):
            tlsdev.unload()


@contextlib.contextmanager
def namespaces(build, tls=False, libra_ko=None):
    """Three namespaces that end with the last process in them, however that ends. tls: the
    proxy's device towards the clients has TLS offload."""
    if os.geteuid() != 0:
        raise BenchError("network namespaces need root: run it with sudo")
    with contextlib.ExitStack() as stack:
        if tls:
            stack.enter_context(_tls_devices(build, libra_ko))
        hosts = {role: stack.enter_context(Host(role, NAMESPACE)) for role in ROLES}
        join(**hosts, tls=tls)
        yield Topology(**hosts, proxy_address="10.91.1.2", origin_address="10.91.2.1",
                       pins=pins_for(hosts["proxy"].cpus), where="netns",
                       build=dict.fromkeys(ROLES, build), tls_device="toclient" * tls)
