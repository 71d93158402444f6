#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""IPv6 on both sides, on one side only, and IPv4 clients of a dual-stack listener."""

import vmtest
from harness.load import complaint

# name, bind of nginx, bind of HAProxy, the policy's listener, the client's, the upstream
CASES = (
    ("IPv6 to IPv6", "[::1]:8101", "[::1]:8101", "[::1]:8101", "[::1]:8101", "[::1]:8001"),
    ("IPv6 to IPv4", "[::1]:8101", "[::1]:8101", "[::1]:8101", "[::1]:8101", "127.0.0.1:8002"),
    ("IPv4 to IPv6", "127.0.0.1:8101", "127.0.0.1:8101", "127.0.0.1:8101", "127.0.0.1:8101",
     "[::1]:8001"),
    # The kernel sees ::ffff:127.0.0.1 there, the policy says 127.0.0.1.
    ("a dual-stack listener", "[::]:8101 ipv6only=off", "[::]:8101 v4v6", "127.0.0.1:8101",
     "127.0.0.1:8101", "[::1]:8001"),
)


def body(env, tap):
    with env.origin("[::1]:8001", "127.0.0.1:8002"):
        for name, nginx, haproxy, rule, address, upstream in CASES:
            for program, bind in (("nginx", nginx), ("haproxy", haproxy)):
                with tap.case(f"{program}, {name}") as case:
                    before = env.counters()
                    with env.proxy(program, "b", bind, upstream, rule=rule):
                        result = env.load(address, "256k", "-c", 16, "-n", 64).result()
                    case.equal(result["exact"], 64, f"exact, {complaint(result)}")
                    if env.with_libra:
                        moved = env.counters()["rx_anchored_bytes"] - before["rx_anchored_bytes"]
                        case.check(moved > 0.9 * result["bytes"],
                                   f"{moved} of {result['bytes']} bytes were anchored")
                    env.check_anchored(case, before)
                    env.check_idle(case)


if __name__ == "__main__":
    vmtest.main("ipv6", __doc__, body, ["256k"])
