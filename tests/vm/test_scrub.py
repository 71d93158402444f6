#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Where a VPI stands, an application finds zeros and no old memory, unless that was asked for."""

import contextlib
import socket

import vmtest
from harness import libra
from harness.pair import connect

LISTEN, ORIGIN = 8101, 8001
OLD = 0xAA  # in memory before a read
VPI = 32
LARGE = 65536
SHORT = 2 * VPI + 10  # has no room for marks


def read(size):
    """What memory full of OLD holds after so many bytes were read into it at once."""
    origin, proxy = connect(ORIGIN)
    memory = bytearray([OLD]) * size
    with origin, proxy:
        origin.sendall(b"x" * size)
        while len(proxy.recv(size, socket.MSG_PEEK)) < size:
            pass
        assert proxy.recv_into(memory) == size
    return bytes(memory)


@contextlib.contextmanager
def attached(env, *options):
    with env.daemon.policy(f"127.0.0.1:{LISTEN}", f"127.0.0.1:{ORIGIN}", 1,
                           options=options, parser="raw"):
        yield


def check(env, tap, what, size, old, *options, scrub=None):
    """old: how much of that is expected to be as it was."""
    with tap.case(what) as case, attached(env, *options), \
            libra.sysctl("min_anchor", 2 * VPI), \
            libra.sysctl("scrub", scrub) if scrub is not None else contextlib.nullcontext():
        memory = read(size)
        case.check(b"x" * VPI not in memory, "nothing was anchored")
        # One byte of a VPI may be the same by chance.
        found = bytes([OLD] * 8) in memory
        case.check(found == old, f"{memory.count(OLD)} of {size} bytes are old memory")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    check(env, tap, "by default: no old memory", LARGE, False)
    check(env, tap, "by default: none in a short one", SHORT, False)
    check(env, tap, "net.libra.scrub 0: old memory", LARGE, True, scrub=0)
    check(env, tap, "a policy may ask for it", LARGE, True, "--no-scrub")
    check(env, tap, "net.libra.scrub 2: no policy may", LARGE, False, "--no-scrub", scrub=2)
    with tap.case("what was read is nobody's now") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("scrub", __doc__, body, parsers=("raw",), one_session=True)
