#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""SIGKILL of the proxy in the middle of transfers leaves nothing behind."""

import os
import signal
import time

import vmtest


def stop_in_mid_transfer(env, proxy, before):
    """Stops the proxy when it both holds payload and has sent some, which at the speed of a
    debug kernel can take a while; returns how many anchors it holds."""
    time.sleep(2)
    end = time.monotonic() + 40
    while True:
        os.killpg(proxy.pid, signal.SIGSTOP)
        time.sleep(0.05)  # the system call that it is in comes to its end
        now = env.counters()
        if now["anchors_live"] and now["tx_redeemed_bytes"] > before["tx_redeemed_bytes"] or \
                not env.with_libra or time.monotonic() > end:
            return now["anchors_live"]
        os.killpg(proxy.pid, signal.SIGCONT)
        time.sleep(0.1)


def body(env, tap):
    listen, origin = "127.0.0.1:8101", "127.0.0.1:8001"
    with env.origin(origin):
        for program in ("nginx", "haproxy"):
            with tap.case(f"{program} is killed") as case:
                before = env.counters()
                with env.proxy(program, "b", listen, origin) as proxy:
                    # Slow readers, so that the proxy holds payload when it dies.
                    load = env.load(listen, "10m", "-c", 64, "-n", 64, "--read-rate", 1 << 20,
                                    "--rcvbuf", 65536, "--timeout", 60)
                    held = stop_in_mid_transfer(env, proxy, before)
                    case.check(load.running(), "the load was over before the kill")
                    proxy.kill()
                    result = load.result()
                if env.with_libra:
                    case.check(held > 0, "no anchor was alive at the kill: it proves nothing")
                case.equal((result["errors"], result["sha_mismatch"]), (64, 0),
                           "errors and mismatches")
                env.check_anchored(case, before)
                # A proxy that dies between two halves of a VPI has promised bytes that
                # nobody can deliver any more: a reset is then the only truth.
                env.check_idle(case, allowed=("fail_stop_cut_vpi",))


if __name__ == "__main__":
    vmtest.main("kill", __doc__, body, ["10m"])
