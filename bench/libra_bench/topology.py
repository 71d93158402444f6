# SPDX-License-Identifier: GPL-2.0-only
"""Client, proxy and origin, each on its own: where they are and how they are joined.

    client 10.91.1.1 ── veth ── 10.91.1.2 proxy 10.91.2.2 ── veth ── 10.91.2.1 origin

veth, not a loopback: what crosses it goes through the whole stack, and the proxy's
kernel work is done in the proxy's namespace. "Direct" is the same two hops, with the
proxy's namespace as a router.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass

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


def join(client, proxy, origin):
    """Two veth pairs between three namespaces, and the way across."""
    _ip("link", "add", "toproxy", "netns", client.pid, "type", "veth",
        "peer", "name", "toclient", "netns", proxy.pid)
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
def namespaces(build):
    """Three namespaces that end with the last process in them, however that ends."""
    if os.geteuid() != 0:
        raise BenchError("network namespaces need root: run it with sudo")
    with contextlib.ExitStack() as stack:
        hosts = {role: stack.enter_context(Host(role, NAMESPACE)) for role in ROLES}
        join(**hosts)
        yield Topology(**hosts, proxy_address="10.91.1.2", origin_address="10.91.2.1",
                       pins=pins_for(hosts["proxy"].cpus), where="netns",
                       build=dict.fromkeys(ROLES, build))
