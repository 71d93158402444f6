# SPDX-License-Identifier: GPL-2.0-only
"""Two hosts and a router between them, as network namespaces, joined by devices with TLS offload.

    left [a] -- [ap] router [bp] -- [b] right

What a and b do is the offload; on ap and bp there are no connections, so what goes through the
router is what is on the wire, and faults there are faults of a network. Faults on a or b
themselves are such of the host: packets that were lost before they were encrypted.
"""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import time

from . import ktls, netns

MODULE = "libra_tlsdev"
KIND = "tlsdev"
TIMEOUT = 60  # seconds that a socket waits
# Of left and right; the router has the others' last part plus 100.
ADDRESSES = {socket.AF_INET: ("10.1.0.1", "10.2.0.1"), socket.AF_INET6: ("fd01::1", "fd02::1")}


def run(*command):
    """What the command printed; it must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def loaded():
    return os.path.exists(f"/sys/module/{MODULE}")


def why_not():
    """Why this kernel cannot have such devices, or None."""
    ktls.load()
    with open("/proc/kallsyms", encoding="ascii", errors="replace") as symbols:
        there = any(line.split()[2] == "tls_validate_xmit_skb" for line in symbols)
    return None if there else "the kernel has no CONFIG_TLS_DEVICE"


class Namespace:
    """A network namespace; in a with statement, that of the calling thread."""

    def __init__(self, new=True):
        """new: or the one that the calling thread is in."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if new:
                netns.enter()
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self._set(before)
        finally:
            os.close(before)
        self._before = []

    @staticmethod
    def _set(fd):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(fd, netns.CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def __enter__(self):
        self._before.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        self._set(self.fd)
        return self

    def __exit__(self, *exc):
        before = self._before.pop()
        self._set(before)
        os.close(before)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def run(self, *command):
        with self:
            return run(*command)

    def close(self):
        os.close(self.fd)


class Network:
    """What the module's documentation at the top of this file draws."""

    def __init__(self, here=False):
        """here: the right host is the namespace of the caller."""
        self.left, self.router = Namespace(), Namespace()
        self.right = Namespace(new=not here)
        self.ends = {"a": self.left, "ap": self.router, "bp": self.router, "b": self.right}
        for name, host in (("a", self.left), ("b", self.right)):
            host.run("ip", "link", "add", "name", name, "type", KIND)
            host.run("ip", "link", "set", "dev", f"{name}p", "netns", self.router.path)
            # It would hand on few large packets, of which chance might spare each.
            self.router.run("ethtool", "-K", f"{name}p", "gro", "off")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for number, (name, host) in enumerate((("a", self.left), ("b", self.right)), 1):
            for device, end, part in ((name, host, 1), (f"{name}p", self.router, 101)):
                end.run("ip", "addr", "add", f"10.{number}.0.{part}/24", "dev", device)
                end.run("ip", "addr", "add", f"fd0{number}::{part}/64", "dev", device, "nodad")
                end.run("ip", "link", "set", "dev", device, "up")
            self.route(name)

    def route(self, name):
        """Those by way of the router, which go when the device goes down."""
        number = "ab".index(name) + 1
        self.ends[name].run("ip", "route", "replace", "default", "via", f"10.{number}.0.101")
        self.ends[name].run("ip", "-6", "route", "replace", "default", "via", f"fd0{number}::101")

    @staticmethod
    def links(host):
        """The names of a host's devices."""
        return [line.split(":")[1].strip().split("@")[0]
                for line in host.run("ip", "-o", "link").splitlines()]

    def counters(self, name):
        """What ethtool -S says of a device."""
        lines = self.ends[name].run("ethtool", "-S", name).splitlines()[1:]
        return {key.strip(): int(value) for key, value in (line.split(":") for line in lines)}

    def features(self, name, **switches):
        """tx="off", rx="on"."""
        for direction, value in switches.items():
            self.ends[name].run("ethtool", "-K", name, f"tls-hw-{direction}-offload", value)

    @contextlib.contextmanager
    def offload(self, **ends):
        """a={"tx": "off"}: what is switched for a while."""
        for name, switches in ends.items():
            self.features(name, **switches)
        try:
            yield
        finally:
            for name, switches in ends.items():
                self.features(name, **dict.fromkeys(switches, "on"))

    def impair(self, netem, *devices):
        """A netem of these words where packets leave these devices."""
        for name in devices:
            limit = () if "limit" in netem else ("limit", "10000")
            self.ends[name].run("tc", "qdisc", "replace", "dev", name, "root", "netem",
                                *netem.split(), *limit)

    @contextlib.contextmanager
    def fault(self, netem, *devices):
        """The same for a while."""
        self.impair(netem, *devices)
        try:
            yield
        finally:
            for name in devices:
                self.ends[name].run("tc", "qdisc", "del", "dev", name, "root")

    @contextlib.contextmanager
    def mtu(self, mtu):
        def set_all(value):
            for name, end in self.ends.items():
                end.run("ip", "link", "set", "dev", name, "mtu", value)
        set_all(mtu)
        try:
            yield
        finally:
            set_all(1500)

    def connect(self, family=socket.AF_INET):
        """Two sockets, the left one and the right one, connected to each other."""
        with self.right, socket.socket(family) as listener:
            listener.bind((ADDRESSES[family][1], 0))
            listener.listen()
            listener.settimeout(10)
            with self.left:
                left = socket.socket(family)
            left.connect(listener.getsockname())
            right, _ = listener.accept()
        for sock in (left, right):
            sock.setblocking(True)  # Python's own timeouts are no way to a blocking sendfile()
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", TIMEOUT, 0))
        return left, right

    def close(self):
        for namespace in (self.left, self.router, self.right):
            namespace.close()


def load(build, libra_ko=None):
    """Loads the module: beside this libra.ko, of this build, or the running kernel's own."""
    places = [os.path.dirname(libra_ko)] if libra_ko else []
    places.append(os.path.join(build, "module", os.uname().release))
    files = [os.path.join(place, f"{MODULE}.ko") for place in places]
    file = next((file for file in files if os.path.exists(file)), None)
    if file:
        for needed in ("tls", "gf128mul"):
            subprocess.run(["modprobe", needed], check=False, capture_output=True)
        run("insmod", file)
    else:
        run("modprobe", MODULE)


def unload(timeout=20):
    """rmmod. Namespaces that were closed go with their devices, some time later."""
    end = time.monotonic() + timeout
    while True:
        try:
            run("rmmod", MODULE)
            return
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def network(env, here=False):
    """The module, and a network of its devices; see Network."""
    load(env.build, env.args.libra_ko)
    try:
        made = Network(here)
        try:
            yield made
        finally:
            made.close()
    finally:
        if loaded():
            unload()
