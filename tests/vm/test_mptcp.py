#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""MPTCP: a subflow that was attached does not become a listener by way of its MPTCP socket."""

import ctypes
import errno
import os
import socket
import struct

import vmtest
from harness import libra
from test_isolation import DOMAINS, domains

LIBC = ctypes.CDLL(None, use_errno=True)
IPPROTO_MPTCP = 262
ROUNDS = 20


def disconnect(sock):
    """connect() to AF_UNSPEC."""
    address = struct.pack("=H14x", socket.AF_UNSPEC)
    if LIBC.connect(sock.fileno(), address, len(address)) != 0:
        raise OSError(ctypes.get_errno(), "connect")


def listens(case):
    before = libra.counters()["attach"]
    upstream = DOMAINS[1][1]
    with socket.create_server(("127.0.0.1", upstream)) as origin:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        sock.connect(("127.0.0.1", upstream))
        origin.accept()[0].close()
    case.check(libra.counters()["attach"] > before, "the subflow was not attached")
    with sock:
        disconnect(sock)
        try:
            sock.listen(5)
        except OSError as error:
            case.equal(error.errno, errno.EINVAL, "listen()")
            return
        case.check(False, "it listens")
        # Its children have to live and die as any.
        name = sock.getsockname()
        for _ in range(ROUNDS):
            socket.create_connection(("127.0.0.1", name[1])).close()
            sock.accept()[0].close()


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    if not os.path.exists("/proc/sys/net/mptcp/enabled"):
        tap.skip("all", "this kernel has no MPTCP")
        return
    with domains(env), tap.case("a subflow that was attached does not listen") as case:
        for _ in range(3):
            listens(case)
    with tap.case("nothing is left") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("mptcp", __doc__, body, daemon=False)
