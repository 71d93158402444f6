#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A process without payload memory is left alone, whatever others have."""

import json
import os
import subprocess

import vmtest
from harness import lazy, libra
from harness.load import complaint

PLAIN, LAZY, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8102", "127.0.0.1:8001"


def traffic(env, case, address, count=100):
    result = env.load(address, "64k", "-c", 16, "-n", count).result()
    case.equal((result["exact"], result["errors"]), (count, 0), complaint(result))


def body(env, tap):
    with env.origin(ORIGIN, sendfile=False), lazy.untidy(env), \
            env.proxy("nginx", "b", PLAIN, ORIGIN, mode=None):
        with tap.case("nobody has payload memory") as case:
            before = env.counters()
            traffic(env, case, PLAIN)
            case.equal(lazy.moved(before, env.counters()), {}, "counters that moved")
        with env.proxy("nginx", "b", LAZY, ORIGIN, mode=None, preload=True):
            with tap.case("a neighbour has payload memory") as case:
                traffic(env, case, LAZY)  # its buffers are there, and some are lazy
                before = env.counters()
                traffic(env, case, PLAIN)
                case.equal(lazy.moved(before, env.counters()), {}, "counters that moved")
            with tap.case("a neighbour uses its payload memory meanwhile") as case:
                before = env.counters()
                load = env.load(LAZY, "64k", "-c", 16, "-n", 100)
                traffic(env, case, PLAIN)
                result = load.result()
                case.equal((result["exact"], result["errors"]), (100, 0), complaint(result))
                rx = lazy.moved(before, env.counters()).get("lazy_rx_bytes", 0)
                if env.with_libra:
                    # Of their headers as well, none of which is as long as a KB.
                    case.check(0 < rx <= 100 * (65536 + 1024),
                               f"{rx} lazy bytes of 100 bodies of 65536")
            if env.with_libra:
                with tap.case("net.libra.lazy is 0") as case, libra.sysctl("lazy", 0):
                    before = env.counters()
                    traffic(env, case, LAZY)
                    rx = lazy.moved(before, env.counters()).get("lazy_rx_bytes", 0)
                    case.equal(rx, 0, "lazy_rx_bytes")
                with tap.case("net.libra.lazy is 1 again") as case:
                    before = env.counters()
                    traffic(env, case, LAZY)
                    rx = lazy.moved(before, env.counters()).get("lazy_rx_bytes", 0)
                    case.check(rx > 0, "lazy_rx_bytes did not move")
    if env.with_libra:
        with tap.case("libractl shows the counters, and no librad runs") as case:
            run = subprocess.run([os.path.join(env.build, "tools/libractl"), "--json", "stats"],
                                 capture_output=True, text=True, timeout=60, check=False)
            case.equal((run.returncode, run.stderr), (0, ""), "exit status, errors")
            case.check(json.loads(run.stdout or "{}").get("stats", {}).get("lazy_rx_bytes"),
                       f"lazy_rx_bytes is not in {run.stdout!r}")
        with tap.case("nothing is left of payload memory") as case:
            case.equal(lazy.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("lazy_off", __doc__, body, ["64k"], daemon=False)
