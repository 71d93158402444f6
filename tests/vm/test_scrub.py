#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Where a VPI stands, an application finds zeros and no old memory, unless that was asked for."""

import contextlib
import ctypes
import mmap
import os
import socket
import struct
import subprocess

import vmtest
from harness import libra
from harness.pair import connect

LISTEN, ORIGIN = 8101, 8001
OLD = 0xAA  # in memory before a read
VPI = 32
LARGE = 65536
SHORT = 2 * VPI + 10  # has no room for marks
MADV_PAGEOUT = 21
SWAP = "/run/libra-swap"


def read(memory):
    """So many bytes, at once."""
    size = len(memory)
    origin, proxy = connect(ORIGIN)
    with origin, proxy:
        origin.sendall(b"x" * size)
        while len(proxy.recv(size, socket.MSG_PEEK)) < size:
            pass
        assert proxy.recv_into(memory) == size


def pages(memory):
    """How many pages of it are there, and how many were swapped out (/proc/PID/pagemap)."""
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory)) // mmap.PAGESIZE
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        file.seek(8 * first)
        entries = struct.unpack(f"={len(memory) // mmap.PAGESIZE}Q",
                                file.read(8 * len(memory) // mmap.PAGESIZE))
    return sum(entry >> 63 for entry in entries), sum(entry >> 62 & 1 for entry in entries)


@contextlib.contextmanager
def swap(size):
    subprocess.run(["modprobe", "loop"], capture_output=True, check=False)  # or it is built in
    with open(SWAP, "wb") as file:
        file.write(bytes(size))
    device = subprocess.run(["losetup", "--find", "--show", SWAP], check=True,
                            capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run(["mkswap", device], check=True, capture_output=True)
        subprocess.run(["swapon", device], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["swapoff", device], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
        os.unlink(SWAP)


def swapped(env, tap):
    """What was swapped out would come back."""
    with tap.case("memory that was swapped out") as case, swap(4 * LARGE), attached(env), \
            mmap.mmap(-1, LARGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = bytes([OLD]) * LARGE
        memory.madvise(MADV_PAGEOUT)
        case.equal(pages(memory), (0, LARGE // mmap.PAGESIZE), "pages there, swapped out")
        read(memory)
        case.check(b"x" * VPI not in memory[:], "nothing was anchored")
        case.check(bytes([OLD] * 8) not in memory[:],
                   f"{memory[:].count(OLD)} of {LARGE} bytes are old memory")


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
        memory = bytearray([OLD]) * size
        read(memory)
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
    if os.path.exists("/proc/swaps"):  # otherwise nothing can be
        swapped(env, tap)
    with tap.case("what was read is nobody's now") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("scrub", __doc__, body, parsers=("raw",), one_session=True)
