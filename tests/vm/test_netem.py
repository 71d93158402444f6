#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A bad network on both sides of the proxy: bodies stay exact, and nothing is left.

All of it is the loopback of the test's namespace, so that each fault meets requests,
responses and acknowledgements alike.
"""

import contextlib
import shutil
import subprocess

import vmtest
from harness import modes
from harness.load import complaint

PROXIES = (("nginx", "b", "127.0.0.1:8101", "127.0.0.1:8001"),
           ("haproxy", "a", "127.0.0.1:8102", "127.0.0.1:8002"))
SLOW = ("--rcvbuf", 4096, "--read-rate", 400_000)

# name, netem, mtu, (connections, requests, quick requests) for 1m and 10m, more for libra-load
FAULTS = (
    ("loss", "loss 2%", 65536, (8, 48, 16), (2, 6, 2), ()),
    ("reordering", "delay 3ms reorder 70% gap 3", 65536, (8, 48, 16), (2, 6, 2), ()),
    ("duplication", "duplicate 20%", 65536, (8, 48, 16), (2, 6, 2), ()),
    ("delay with jitter", "delay 10ms 8ms", 65536, (8, 48, 16), (2, 6, 2), ()),
    ("corruption", "corrupt 0.5%", 65536, (8, 48, 16), (2, 6, 2), ()),
    ("small segments", None, 576, (8, 48, 12), (2, 6, 2), ()),
    ("small segments, loss and reordering", "delay 1ms reorder 80% loss 1%", 576,
     (4, 12, 4), (1, 2, 1), ()),
    ("window pressure", None, 1500, (8, 24, 8), (2, 4, 2), ("--rcvbuf", 2048)),
    ("slow readers that fill every buffer", None, 1500, (32, 96, 32), (4, 4, 0), SLOW),
)


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


@contextlib.contextmanager
def fault(netem, mtu):
    # A device that cuts large packets itself would hide the small ones.
    call("ip", "link", "set", "lo", "mtu", str(mtu), "gso_max_size", "65536" if mtu > 1500 else
         str(mtu), "gso_max_segs", "64" if mtu > 1500 else "1")
    if netem:
        call("tc", "qdisc", "replace", "dev", "lo", "root", "netem", "limit", "100000",
             *netem.split())
    try:
        yield
    finally:
        if netem:
            call("tc", "qdisc", "del", "dev", "lo", "root")
        call("ip", "link", "set", "lo", "mtu", "65536", "gso_max_size", "65536", "gso_max_segs",
             "65535")


def run(env, tap, mode):
    if not shutil.which("tc") or not shutil.which("ip"):
        tap.skip("all", "needs tc and ip: apt-get install iproute2")
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(mode.ready(env))
        stack.enter_context(env.origin(*(origin for *_, origin in PROXIES),
                                       sendfile=mode.sendfile))
        for program, config, listen, origin in PROXIES:
            stack.enter_context(mode.proxy(env, program, config, listen, origin))
        for name, netem, mtu, *loads, more in FAULTS:
            with tap.case(f"{mode.name}, {name}") as case:
                before = env.counters()
                with fault(netem, mtu):
                    received = transfer(env, case, loads, more)
                mode.check_moved(env, case, before, received)
    with tap.case(f"{mode.name}, nothing is left") as case:
        mode.check_idle(env, case)


def transfer(env, case, loads, more):
    """Both proxies at once, each with both sizes; what the clients of each received."""
    running = []
    for size, (connections, requests, quick) in zip(("1m", "10m"), loads):
        count = quick if env.args.quick else requests
        if count:
            running += [(program, size, count,
                         env.load(listen, size, "-c", connections, "-n", count, "--timeout", 120,
                                  *more))
                        for program, _, listen, _ in PROXIES]
    received = dict.fromkeys((program for program, *_ in PROXIES), 0)
    for program, size, count, load in running:
        result = load.result()
        received[program] += result["bytes"]
        case.equal(result["exact"], count, f"{program}, {size}: exact ({complaint(result)})")
    return received


def body(env, tap):
    run(env, tap, modes.TOKEN)


if __name__ == "__main__":
    vmtest.main("netem", __doc__, body, ["1m", "10m"])
