#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Clients of nginx whose connection a device encrypts: exact, kept in the kernel, and not copied.

The device is libra_tlsdev (test_tls_device.py); nginx and its origin are on its right host.
"""

import contextlib
import os
import random
import socket
import struct
import threading

import vmtest
from harness import ktls, libra, tls_copies, tlsdev
from harness.tls_proxy import (LARGE, ORIGIN, SHARE, Counted, bodies, check_exact, client, nginx,
                               policy)

SIZES = ("64k", "256k", "1m")
HOST = tlsdev.ADDRESSES[socket.AF_INET][1]
PORT = 9301
PATIENCE = 5    # seconds
COPIED = 0.1    # of what is forwarded, at most
FAULTS = (
    # name, netem on what the router sends, mtu
    ("no fault", None, 1500),
    ("loss", "loss 2%", 1500),
    ("reordering and duplication", "delay 1ms reorder 80% gap 5 duplicate 5%", 1500),
    ("corruption", "corrupt 1%", 1500),
    ("small packets and loss", "loss 1%", 600),
)


def exchange(case, env, net, paths):
    """Connections of TLS 1.2, which the device can do, one after the other."""
    before, counted = ktls.counters(), Counted()
    connections = 3
    for _ in range(connections):
        with net.left, client("TLSv1.2", HOST) as by:
            for path in paths:
                check_exact(case, env, by, path, os.path.basename(path))
    after = ktls.counters()
    case.equal(after["TlsTxDevice"] - before["TlsTxDevice"], connections,
               "connections that the device encrypts")
    case.equal(counted["fail_stops"], 0, "fail-stops")
    return connections, counted


def forwarded(env, net, tap, fault, size):
    name, netem, mtu = fault
    with tap.case(f"{size}, {name}") as case, contextlib.ExitStack() as stack:
        stack.enter_context(net.mtu(mtu))
        if netem:
            stack.enter_context(net.fault(netem, "ap", "bp"))
        connections, counted = exchange(case, env, net, [f"/{size}"] * 3)
        payload = connections * 3 * len(env.bodies[size])
        sent = counted["tx_redeemed_bytes"]
        print(f"# {name}, {size}: {sent / payload:.3f} of the payload from anchors", flush=True)
        if len(env.bodies[size]) >= LARGE:
            case.check(sent >= SHARE * payload, f"anchored: {sent} of {payload}")


def copied(env, net, tap):
    """By TLS, and by Libra itself, for each byte forwarded."""
    with tap.case("bytes copied on the way out") as case:
        shares = {}
        for tls in (0, 1):
            with libra.sysctl("tls", tls), tls_copies.counting() as pushed:
                connections, counted = exchange(case, env, net, ["/1m"] * 3)
                payload = connections * 3 * len(env.bodies["1m"])
                spliced, by_tls = pushed()
                case.check(spliced + by_tls >= payload, f"{spliced} spliced and {by_tls} copied "
                           f"of {payload}: not all is seen")
                shares[tls] = (by_tls / payload, counted["tx_copied_bytes"] / payload)
        print("# copied for each byte forwarded, by TLS and by Libra: natively {:.3f} and {:.3f}, "
              "anchored {:.3f} and {:.3f}".format(*shares[0], *shares[1]), flush=True)
        case.check(shares[0][0] >= 1, f"natively: {shares[0]}")
        case.check(sum(shares[1]) <= COPIED, f"anchored: {shares[1]}")


def files(env, net, tap):
    """Of a file nginx has the device encrypt pages that somebody may write to meanwhile."""
    with tap.case("files in between, which nginx sends by sendfile()") as case:
        _, counted = exchange(case, env, net, ["/1m", "/file/1m", "/64k", "/file/256k", "/256k"])
        case.check(counted["anchors_redeemed"] > 0, "no anchor was redeemed")


def does_not_wait(env, net, tap):
    """What the application sent in pieces of ours ends as one call would."""
    with tap.case("a send() that must not wait for room does not") as case, \
            env.daemon.policy(f"{HOST}:{PORT}", f"127.0.0.1:{PORT + 1}", 2):
        with socket.create_server((HOST, PORT)) as listener:
            with net.left:
                peer = socket.create_connection((HOST, PORT))
            proxy, _ = listener.accept()
        before = ktls.counters()["TlsTxDevice"]
        ktls.enable(proxy, transmit=ktls.Keys())
        case.equal(ktls.counters()["TlsTxDevice"] - before, 1, "connections on the device")
        proxy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        proxy.setblocking(False)
        data = os.urandom(1 << 20)

        def fill():
            with contextlib.suppress(OSError):
                while proxy.send(data[:random.randint(20_000, len(data))]):
                    pass

        for _ in range(20):
            thread = threading.Thread(target=fill)
            thread.start()
            thread.join(PATIENCE)
            if not case.check(not thread.is_alive(), "it waits"):
                break
            # Some room again.
            peer.recv(100_000)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        thread.join()
        proxy.close()


def body(env, tap):
    why = tlsdev.why_not()
    if not env.with_libra or why:
        tap.skip("all", why or "needs Libra")
        return
    env.bodies = bodies(env, SIZES)
    file = f"location /file/ {{ alias {env.content}/; sendfile on; }}"
    with tlsdev.network(env, here=True) as net, env.origin(f"127.0.0.1:{ORIGIN}"), \
            libra.sysctl("tls", 1), policy(env, HOST), \
            nginx(env, "device", host=HOST, more=file):
        for fault in FAULTS:
            for size in SIZES:
                forwarded(env, net, tap, fault, size)
        copied(env, net, tap)
        files(env, net, tap)
        does_not_wait(env, net, tap)


if __name__ == "__main__":
    vmtest.main("tls_offload", __doc__, body, sizes=SIZES, parsers=("http1",))
