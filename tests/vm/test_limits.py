#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The memory that anchors pin stays under its limits, whoever wants more of it.

Beyond a limit there are native copies: every byte arrives, nothing waits for ever.
"""

import contextlib
import resource

import vmtest
from harness import libra, modes, soak

LISTEN, ORIGIN = 8101, 8001


def attack(env, case, fallback, limit, *options, mode=modes.TOKEN):
    """Clients through the proxy that listens; checks bytes, limit and fallback.

    The kernel keeps the highest charge since the namespace began, so no limit may be
    lower than that of an earlier case.
    """
    before = env.counters()
    case.check(before["anchor_charge_peak"] <= limit + mode.excess,
               f"a charge of {before['anchor_charge_peak']} in an earlier case")
    result, said = soak.run(env, "--target", LISTEN, "--origin", ORIGIN, "--lengths-only",
                            *options)
    after = env.counters()
    highest = after["anchor_charge_peak"]
    for line in said[:5]:
        case.check(False, line)
    case.equal((result["wrong"], result["broken"], result["stalls"]), (0, 0, 0),
               "wrong, broken, stalls")
    mode.check_moved(env, case, before)
    fallbacks = after[fallback] - before[fallback]
    print(f"# {result['messages']} messages, {result['bytes'] >> 20} MiB, "
          f"{result['seconds']:.1f} s; highest charge {highest} of {limit}; {fallback} "
          f"{fallbacks}", flush=True)
    case.check(fallbacks > 0, f"the limit was not reached: {fallback} did not move")
    case.check(highest <= limit + mode.excess, f"a charge of {highest}, limit {limit}")


@contextlib.contextmanager
def proxy(env, program, config, mode=modes.TOKEN, **options):
    with mode.proxy(env, program, config, f"127.0.0.1:{LISTEN}", f"127.0.0.1:{ORIGIN}", **options):
        yield


def one_byte_segments(env, tap):
    for program, config in (("nginx", "b"), ("haproxy", "b")):
        with tap.case(f"{program}, segments of one byte, the socket's limit") as case:
            limit = 32 << 10
            # Anchors as small as they can be: what is worst for the charge.
            with libra.sysctl("min_anchor", 64), libra.sysctl("max_socket_bytes", limit), \
                    proxy(env, program, config):
                # One client: the charge of one socket is that of all.
                attack(env, case, "fallback_socket_limit", limit, "--messages", 2, "-c", 1,
                       "--size", 40_000 if env.args.quick else 300_000, "--segment", 1,
                       "--stall", 3)
                case.equal(libra.settle(10, libra.ANCHOR_GAUGES), {}, "left behind")


def small_segments(env, tap):
    with tap.case("segments of 100 bytes from many peers, the namespace's limit") as case:
        limit = 64 << 10
        with libra.sysctl("max_netns_bytes", limit), proxy(env, "nginx", "b"):
            attack(env, case, "fallback_netns_limit", limit, "--messages", 64, "-c", 32,
                   "--size", 100_000 if env.args.quick else 600_000, "--segment", 100,
                   "--stall", 4)
            case.equal(libra.settle(10, libra.ANCHOR_GAUGES), {}, "left behind")


def stalled_clients(env, tap):
    count = 1000 if env.args.quick else 10_000
    with tap.case(f"{count} stalled clients, the namespace's limit") as case:
        limit = 8 << 20
        # Each of them is two descriptors of the proxy; its buffers are nginx's default. They
        # stall long enough for a slow machine to have connected most of them meanwhile.
        need = 3 * count
        old = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, max(need, old[1])))
        try:
            with small_send_buffers(), libra.sysctl("max_netns_bytes", limit), \
                    proxy(env, "nginx", "a", connections=count + 100):
                attack(env, case, "fallback_netns_limit", limit, "--messages", count, "-c", count,
                       "--size", 150_000, "--stall", count / 60, "--timeout", 300)
                case.equal(libra.settle(20, libra.ANCHOR_GAUGES), {}, "left behind")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, old)


@contextlib.contextmanager
def small_send_buffers():
    """Of the sockets of this namespace: what is stalled shall stall early."""
    path = "/proc/sys/net/ipv4/tcp_wmem"
    with open(path, encoding="ascii") as file:
        old = file.read()
    with open(path, "w", encoding="ascii") as file:
        file.write("4096 16384 32768")
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(old)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    one_byte_segments(env, tap)
    small_segments(env, tap)
    stalled_clients(env, tap)
    with tap.case("nothing is left") as case:
        env.check_idle(case)


if __name__ == "__main__":
    vmtest.main("limits", __doc__, body)
