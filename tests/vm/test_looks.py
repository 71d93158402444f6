#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How much of what a proxy sends is looked at, to find anchors in it: of an anchor next to nothing,
also where a piece of payload that was copied lies in front of it, in the same buffer."""

import threading

import vmtest
from harness import libra
from harness.pair import connect
from test_cut import receive
from test_isolation import BODY, DOMAINS, domains, mint

SMALL = b"s" * 1000
SENDS = 8
# What is looked at in one go behind bytes that were no anchor, and what tells an anchor's ends.
WINDOW = 4096
MARKS = 1024


def looked_at(proxy, peer, data, length):
    """(payload bytes copied to look at them, what arrived) of one send()."""
    got = []
    reader = threading.Thread(target=lambda: got.append(receive(peer, length)))
    reader.start()
    before = libra.counters()["tx_copied_bytes"]
    proxy.sendall(data)
    reader.join(20)
    return libra.counters()["tx_copied_bytes"] - before, b"".join(got)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    for name, front in (("alone", b""), ("behind a piece that was copied", SMALL)):
        with domains(env), tap.case(f"an anchor {name}") as case:
            proxy, peer = connect(DOMAINS[1][0])
            peer.settimeout(20)
            looks = []
            with proxy, peer:
                for _ in range(SENDS):
                    looked, got = looked_at(proxy, peer, front + mint(1), len(front) + len(BODY))
                    case.check(got == front + BODY, f"{len(got)} bytes came, not the right ones")
                    looks.append(looked)
            print(f"# looked at {looks}", flush=True)
            most = len(front) + (WINDOW if front else 0) + MARKS
            case.check(max(looks) <= most, f"of {len(BODY)} bytes, {looks} were looked at, not {most}")


if __name__ == "__main__":
    vmtest.main("looks", __doc__, body, daemon=False)
