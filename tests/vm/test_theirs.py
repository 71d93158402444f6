#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Who sent bytes may still write to their pages: what was received stays as it was."""

import contextlib
import fcntl
import mmap
import os
import shutil
import socket
import struct

import vmtest
from harness import lazy, libra
from harness.ring_peer import PEER, PORT, RingPeer
from test_isolation import BODY, DOMAINS, connect, deliver, domains

LIBRA_IOC_ARENA = 0x4010ba01
RING_PAYLOAD = b"r" * 24576


@contextlib.contextmanager
def payload_memory(size):
    device = os.open("/dev/libra", os.O_RDWR | os.O_CLOEXEC)
    arena = fcntl.ioctl(device, LIBRA_IOC_ARENA, bytearray(struct.pack("QII", size, 0, 0)))
    os.close(device)
    memory = mmap.mmap(arena, size)
    os.close(arena)
    yield memory
    memory.close()


def receive(sock, memory, size):
    """At the beginning of the memory."""
    got = 0
    with memoryview(memory) as view:
        while got < size:
            count = sock.recv_into(view[got:size])
            assert count, f"the stream ended after {got} bytes"
            got += count


def minted(case, before):
    case.check(libra.counters()["anchors_minted"] > before["anchors_minted"],
               "nothing was anchored: it proves nothing")


def was_lazy(case, before):
    case.check(lazy.moved(before, libra.counters()).get("lazy_rx_bytes", 0) > 0,
               "nothing was lazy: it proves nothing")


def sendfile(env, tap):
    with tap.case("token mode: a file changes that an origin gave to sendfile()") as case, \
            domains(env):
        path = env.path("body")
        with open(path, "w+b") as file:
            file.write(BODY)
            file.flush()
            before = libra.counters()
            origin, proxy = connect(DOMAINS[1][1])
            memory = bytearray(len(BODY))
            with origin, proxy:
                os.sendfile(origin.fileno(), file.fileno(), 0, len(BODY))
                receive(proxy, memory, len(BODY))
            minted(case, before)
            file.seek(0)
            file.write(b"X" * len(BODY))
            file.flush()
        case.check(deliver(1, bytes(memory)) == BODY, "the client got what the file has now")


def rings(tap):
    for name, before_receive in (("is mapped", lambda peer: None),
                                 ("was unmapped", lambda peer: peer.unmap())):
        with tap.case(f"lazy mode: a ring of a packet socket that {name}") as case, \
                RingPeer() as peer, socket.socket() as sock, payload_memory(1 << 20) as memory:
            peer.connect(sock)
            before = libra.counters()
            peer.send(RING_PAYLOAD)
            before_receive(peer)
            receive(sock, memory, len(RING_PAYLOAD))
            was_lazy(case, before)
            peer.map()
            peer.overwrite()
            case.check(memory[:len(RING_PAYLOAD)] == RING_PAYLOAD,
                       f"{memory[:len(RING_PAYLOAD)].count(b'X')} bytes of "
                       f"{len(RING_PAYLOAD)} are what the ring has now")


def token_ring(env, tap):
    with tap.case("token mode: a ring of a packet socket that was unmapped") as case, \
            libra.Daemon(env.build, env.directory, ("raw",)) as daemon, \
            daemon.policy(f"127.0.0.1:{DOMAINS[1][0]}", f"{PEER}:{PORT}", 1, parser="raw"), \
            RingPeer() as peer, socket.socket() as sock:
        peer.connect(sock)
        memory = bytearray(len(RING_PAYLOAD))
        before = libra.counters()
        peer.send(RING_PAYLOAD)
        peer.unmap()
        receive(sock, memory, len(RING_PAYLOAD))
        minted(case, before)
        peer.map()
        peer.overwrite()
        case.check(deliver(1, bytes(memory)) == RING_PAYLOAD,
                   "the client got what the ring has now")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    sendfile(env, tap)
    if not shutil.which("ip"):
        tap.skip("rings of packet sockets", "needs ip (iproute2)")
        return
    with libra.sysctl("lazy_feedback", 0), libra.sysctl("lazy_tidy_ms", 0):
        rings(tap)
    token_ring(env, tap)


if __name__ == "__main__":
    vmtest.main("theirs", __doc__, body, daemon=False)
