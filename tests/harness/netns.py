# SPDX-License-Identifier: GPL-2.0-only
"""A network namespace of one's own, with a loopback that is up."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import time

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def _call(name, *arguments):
    """A function of libc that Python 3.11 has not got."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: no network namespace ({os.strerror(error)}): run as root")


def unshare(flags):
    """New namespaces for this process."""
    _call("unshare", flags)


def enter():
    """Moves this process into a new network namespace.

    Nothing of the machine's network is touched, ports are free, and the
    policies and counters of Libra, which are per namespace, start empty.
    """
    unshare(CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


@contextlib.contextmanager
def another():
    """For its body, this process is in yet another new namespace, where no connection of
    anybody before lingers on a port."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter()
        try:
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
    finally:
        os.close(before)


def _listening_ports():
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    if fields[3] == "0A":  # TCP_LISTEN
                        ports.add(int(fields[1].rsplit(":", 1)[1], 16))
        except FileNotFoundError:
            pass  # no IPv6
    return ports


def wait_listening(process, port, timeout=60):
    """Waits without connecting: a probe would be a connection to count."""
    end = time.monotonic() + timeout
    while port not in _listening_ports():
        if not process.alive():
            raise RuntimeError(f"{process.name} ended at once: {process.log_tail()}")
        if time.monotonic() > end:
            raise RuntimeError(f"{process.name} does not listen on port {port}: "
                               f"{process.log_tail()}")
        time.sleep(0.02)
