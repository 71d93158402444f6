#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""SIGKILL of the proxy in the middle of transfers leaves nothing behind."""

import os
import signal
import time

import vmtest
from harness import modes


def stop_in_mid_transfer(env, proxy, before, mode):
    """Stops the proxy when it both holds payload and has sent some, which at the speed of a
    debug kernel can take a while; returns how much it holds."""
    time.sleep(2)
    end = time.monotonic() + 40
    while True:
        os.killpg(proxy.pid, signal.SIGSTOP)
        time.sleep(0.05)  # the system call that it is in comes to its end
        now = env.counters()
        if now[mode.held] and now[mode.sent] > before[mode.sent] or \
                not env.with_libra or time.monotonic() > end:
            return now[mode.held]
        os.killpg(proxy.pid, signal.SIGCONT)
        time.sleep(0.1)


def run(env, tap, mode):
    listen, origin = "127.0.0.1:8101", "127.0.0.1:8001"
    with env.origin(origin, sendfile=mode.sendfile), mode.ready(env):
        for program in ("nginx", "haproxy"):
            with tap.case(f"{mode.name}, {program} is killed") as case:
                before = env.counters()
                with mode.proxy(env, program, "b", listen, origin) as proxy:
                    # Slow readers, so that the proxy holds payload when it dies.
                    load = env.load(listen, "10m", "-c", 64, "-n", 64, "--read-rate", 1 << 20,
                                    "--rcvbuf", 65536, "--timeout", 60)
                    held = stop_in_mid_transfer(env, proxy, before, mode)
                    case.check(load.running(), "the load was over before the kill")
                    proxy.kill()
                    result = load.result()
                if env.with_libra:
                    case.check(held > 0, f"{mode.held} was 0 at the kill: it proves nothing")
                case.equal((result["errors"], result["mismatches"]), (64, 0),
                           "errors and mismatches")
                mode.check_moved(env, case, before)
                # A proxy that dies between two halves of a VPI has promised bytes that
                # nobody can deliver any more: a reset is then the only truth.
                mode.check_idle(env, case, allowed=("fail_stop_cut_vpi",))


def body(env, tap):
    run(env, tap, modes.TOKEN)


if __name__ == "__main__":
    vmtest.main("kill", __doc__, body, ["10m"])
