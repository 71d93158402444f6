#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""64 connections for 30 s (quick: 10 s) on 64 KB, through nginx and HAProxy at once."""

import contextlib

import vmtest
from harness.load import complaint

PROXIES = (("nginx", "127.0.0.1:8101", "127.0.0.1:8001"),
           ("haproxy", "127.0.0.1:8102", "127.0.0.1:8002"))


def body(env, tap):
    seconds = 10 if env.args.quick else 30
    with tap.case(f"64 connections for {seconds} s") as case:
        before = env.counters()
        with contextlib.ExitStack() as stack:
            stack.enter_context(env.origin(*(origin for _, _, origin in PROXIES)))
            loads = []
            for program, listen, origin in PROXIES:
                stack.enter_context(env.proxy(program, "b", listen, origin))
                loads.append((program, env.load(listen, "64k", "-c", 64, "-d", seconds)))
            received = {}
            for program, load in loads:
                result = load.result()
                received[program] = result["bytes"]
                case.check(result["exact"] == result["requests"] > 100,
                           f"{program}: {result['exact']} of {result['requests']} were exact: "
                           f"{complaint(result)}")
        env.check_anchored(case, before, received)
        env.check_idle(case)


if __name__ == "__main__":
    vmtest.main("load", __doc__, body, ["64k"])
