#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What proxies in payload memory keep in the kernel stays under each limit, however slow their
clients are: beyond it reads are native, every byte arrives, and nothing waits for ever."""

import contextlib

import test_limits
import vmtest
from harness import lazy, libra, modes

MAX_BYTES = "/sys/module/libra/parameters/max_bytes"


@contextlib.contextmanager
def machine_limit(value):
    """The module's parameter, for a while."""
    def write(text):
        with open(MAX_BYTES, "w", encoding="ascii") as out:
            out.write(text)
    with open(MAX_BYTES, encoding="ascii") as file:
        old = file.read()
    write(str(value))
    try:
        yield
    finally:
        write(old)


# name, what sets it, the fallback that it makes
LIMITS = (
    ("process", lambda value: libra.sysctl("max_process_bytes", value),
     "fallback_lazy_process_limit"),
    ("namespace", lambda value: libra.sysctl("max_netns_bytes", value), "fallback_netns_limit"),
    ("machine", machine_limit, "fallback_machine_limit"),
)


def slow_clients(env, tap):
    count = 24
    limit = 1 << 20
    for program in ("nginx", "haproxy"):
        for name, setting, fallback in LIMITS:
            with tap.case(f"{program}, {count} stalled clients, the {name}'s limit") as case:
                with setting(limit), test_limits.proxy(env, program, "b", modes.LAZY):
                    test_limits.attack(env, case, fallback, limit, "--messages", count,
                                       "-c", count, "--size", 1_200_000, "--stall", 2,
                                       mode=modes.LAZY)
                case.equal(lazy.settle(), {}, "left behind")


def small_segments(env, tap):
    """Each page of payload pins many times its size: what is worst for the charge."""
    with tap.case("nginx, segments of 100 bytes, the process's limit") as case:
        limit = 256 << 10
        with libra.sysctl("max_process_bytes", limit), \
                test_limits.proxy(env, "nginx", "b", modes.LAZY):
            test_limits.attack(env, case, "fallback_lazy_process_limit", limit, "--messages", 32,
                               "-c", 16, "--size", 100_000 if env.args.quick else 600_000,
                               "--segment", 100, "--stall", 2, mode=modes.LAZY)
        case.equal(lazy.settle(), {}, "left behind")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with lazy.always(env):
        # By rising limits, see test_limits.attack().
        small_segments(env, tap)
        slow_clients(env, tap)
    with tap.case("nothing is left") as case:
        modes.LAZY.check_idle(env, case)


if __name__ == "__main__":
    vmtest.main("lazy_limits", __doc__, body, daemon=False)
