#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Clients that vanish mid-body: a proxy then drops its VPIs without a word.

The proxy lives on, so nothing but the end of the client socket can end the anchors;
and what others download at that time stays exact.
"""

import vmtest
from harness import modes
from harness.load import complaint

WAYS = (("close", []), ("reset", ["--abort-reset"]))


def run(env, tap, mode):
    listen, origin = "127.0.0.1:8101", "127.0.0.1:8001"
    with env.origin(origin, sendfile=mode.sendfile), mode.ready(env):
        for program in ("nginx", "haproxy"):
            with mode.proxy(env, program, "b", listen, origin):
                for name, how in WAYS:
                    with tap.case(f"{mode.name}, {program}, clients vanish with a {name}") as case:
                        before = env.counters()
                        vanish(env, case, program, listen, how, mode)
                        mode.check_moved(env, case, before)
                with tap.case(f"{mode.name}, {program} serves on") as case:
                    result = env.load(listen, "1m", "-c", 16, "-n", 32).result()
                    case.equal(result["exact"], 32, f"exact, {complaint(result)}")
            with tap.case(f"{mode.name}, {program} is gone, and all it had") as case:
                mode.check_idle(env, case)


def vanish(env, case, program, listen, how, mode):
    result = env.load(listen, "1m", "-c", 32, "-n", 160, "--abort-after", 150000,
                      "--abort-fraction", 0.5, "--rcvbuf", 65536, *how).result()
    case.equal((result["aborted"], result["exact"], result["mismatches"], result["errors"]),
               (80, 80, 0, 0), f"aborted, exact, mismatches, errors ({complaint(result)})")
    if env.with_libra:
        mode.check_released(case, program)


def body(env, tap):
    run(env, tap, modes.TOKEN)


if __name__ == "__main__":
    vmtest.main("vanish", __doc__, body, ["1m"])
