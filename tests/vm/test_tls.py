#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Clients whose connection kernel TLS encrypts: their payload is kept in the kernel, exactly."""

import concurrent.futures
import socket

import vmtest
from harness import ktls, libra
from harness.tls_proxy import (LARGE, LISTEN, ORIGIN, SHARE, VERSIONS, Counted, bodies,
                               check_exact, client, kernel_encrypts, nginx, policy)

SIZES = ("1k", "64k", "256k", "1m")


def encrypted(env, tap, version):
    with nginx(env, version), policy(env):
        for size in SIZES:
            with tap.case(f"nginx, {version}, {size}") as case:
                encrypts, counted = kernel_encrypts(), Counted()
                for _ in range(3):
                    with client(version) as by:
                        for _ in range(3):
                            check_exact(case, env, by, f"/{size}")
                case.equal(kernel_encrypts() - encrypts, 3, "connections with kernel TLS")
                case.equal(counted["tx_tls_streams"], 3, "of these, searched")
                payload = 9 * len(env.bodies[size])
                sent = counted["tx_redeemed_bytes"]
                print(f"# {version} {size}: {sent / payload:.3f} of the payload from anchors",
                      flush=True)
                if len(env.bodies[size]) >= LARGE:
                    case.check(sent >= SHARE * payload, f"anchored: {sent} of {payload}")
                    case.check(counted["anchors_redeemed"] > 0, "no anchor was redeemed")
                case.equal(env.daemon.status()["passing"], [], "passing")


def many(env, tap):
    """Clients that come and go beside each other; each byte is looked at."""
    def visit(number):
        case_errors = []
        with client(list(VERSIONS)[number % 2]) as by:
            for turn in range(4):
                size = SIZES[(number + turn) % len(SIZES)]
                response = by.get(f"/{size}")
                if response.body != env.bodies[size]:
                    case_errors.append(f"client {number}, {size}: other bytes arrived")
        return case_errors

    rounds = 24 if env.args.quick else 240
    with tap.case("many clients at once") as case, nginx(env, "many"), policy(env):
        counted = Counted()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for errors in pool.map(visit, range(rounds)):
                for error in errors:
                    case.check(False, error)
        case.equal(counted["fail_stops"], 0, "fail-stops")
        case.check(counted["anchors_redeemed"] > 0, "no anchor was redeemed")


def leave(env, tap):
    """In the middle of an answer, by a close that nginx answers with an alert, or a reset."""
    with tap.case("clients that leave in the middle of an answer") as case, \
            nginx(env, "leave"), policy(env):
        for number in range(8):
            with client(list(VERSIONS)[number % 2]) as by:
                by.send("GET /1m HTTP/1.1\nHost: test")
                by.stream.read(10000 + number)
        with client("TLSv1.3") as by:
            check_exact(case, env, by, "/256k")


def by_itself(env, tap):
    """Encrypted in user space: nothing is anchored that could go there."""
    with tap.case("nginx that encrypts by itself") as case, nginx(env, "itself", ""), policy(env):
        for version in VERSIONS:
            counted = Counted()
            with client(version) as by:
                for size in SIZES:
                    check_exact(case, env, by, f"/{size}")
                case.equal(len(env.daemon.status()["passing"]), 1, "passing")
            case.equal(counted["anchors_minted"], 0, "anchors")
            case.equal(counted["tx_tls_streams"], 0, "streams")


def switched_off(env, tap):
    with tap.case("net.libra.tls 0") as case, libra.sysctl("tls", 0), \
            nginx(env, "off"), policy(env), client("TLSv1.3") as by:
        counted = Counted()
        for size in SIZES:
            check_exact(case, env, by, f"/{size}")
        case.equal((counted["anchors_minted"], counted["tx_tls_streams"]), (0, 0),
                   "anchors, streams")


def plain_client(env, tap):
    """Who speaks no TLS is refused by nginx, and holds nothing down afterwards."""
    with tap.case("a client that speaks HTTP to the TLS port") as case, \
            nginx(env, "plain"), policy(env):
        with socket.create_connection(("127.0.0.1", LISTEN), 20) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            case.check(b"400" in sock.recv(4096), "nginx does not refuse it")
        counted = Counted()
        with client("TLSv1.3") as by:
            check_exact(case, env, by, "/256k")
        case.check(counted["anchors_redeemed"] > 0, "no anchor was redeemed")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    ktls.load()
    env.bodies = bodies(env, SIZES)
    with env.origin(f"127.0.0.1:{ORIGIN}"), libra.sysctl("tls", 1):
        for version in VERSIONS:
            encrypted(env, tap, version)
        many(env, tap)
        leave(env, tap)
        by_itself(env, tap)
        switched_off(env, tap)
        plain_client(env, tap)
    with tap.case("nothing is left of it") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("tls", __doc__, body, sizes=SIZES, parsers=("http1",))
