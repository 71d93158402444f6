#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Token policies come and go over proxies in payload memory, and lazy mode itself is switched off
and on: what test_live_policy checks holds, and every byte is the origin's."""

import time

import test_live_policy
import vmtest
from harness import lazy, libra, modes, netns
from harness.load import complaint

LISTEN, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8001"


def switched(env, tap, program):
    """A read is lazy or native; what is lazy already stays so, and exact."""
    with tap.case(f"{program}: net.libra.lazy is switched under load") as case:
        before = env.counters()
        with env.origin(ORIGIN, sendfile=False), \
                modes.LAZY.proxy(env, program, "b", LISTEN, ORIGIN):
            loads = [env.load(LISTEN, "256k", "-c", 8, "-d", 4 if env.args.quick else 12, *options)
                     for options in ((), ("--close",), ("--read-rate", 1 << 20, "--rcvbuf", 65536))]
            turns = 0
            while loads[0].running():
                with libra.sysctl("lazy", 0):
                    time.sleep(0.1)
                time.sleep(0.1)
                turns += 1
            for load in loads:
                result = load.result()
                case.equal((result["errors"], result["mismatches"]), (0, 0), complaint(result))
        moved = lazy.moved(before, env.counters())
        print(f"# {turns} turns, {moved}", flush=True)
        case.check(turns > 2, "there was no time for it")
        case.check(moved.get("fallback_lazy_disabled"), "no read was native for the switch")
        modes.LAZY.check_moved(env, case, before)
        case.equal(lazy.settle(), {}, "left behind")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with lazy.always(env):
        for program in test_live_policy.PROXIES:
            switched(env, tap, program)
    with netns.another(), lazy.always(env):
        before = env.counters()
        if env.args.quick:
            test_live_policy.run(env, tap, modes.LAZY, test_live_policy.PROXIES[:1],
                                 test_live_policy.SCENES[:3])
        else:
            test_live_policy.run(env, tap, modes.LAZY)
        with tap.case("between policies it was lazy, and nothing is left") as case:
            modes.LAZY.check_moved(env, case, before)
            case.equal(lazy.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("lazy_live", __doc__, body, ["256k"], daemon=False)
