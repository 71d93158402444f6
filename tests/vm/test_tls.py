#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Clients whose connection kernel TLS encrypts: their payload is kept in the kernel, exactly."""

import concurrent.futures
import contextlib
import socket
import ssl

import vmtest
from harness import ktls, libra, servers
from harness.matrix import certificate
from harness.raw_http import RawClient

ORIGIN, LISTEN = 8001, 8101
SIZES = ("1k", "64k", "256k", "1m")
SHARE = 0.95    # of payload, from 256 KB on
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}

NGINX = """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
        {options}
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_max_temp_file_size 0;
            {directives}
        }}
    }}
"""
KTLS = "ssl_conf_command Options KTLS;"


@contextlib.contextmanager
def nginx(env, name, options=KTLS, config="b"):
    with servers.start_nginx(name, env.path(name), NGINX.format(
            port=LISTEN, origin=ORIGIN, pem=certificate(env), options=options,
            directives=servers.NGINX_CONFIGS[config]), LISTEN) as process:
        yield process


@contextlib.contextmanager
def policy(env):
    """What the listener's clients send is TLS, what the origin answers HTTP."""
    rules = [env.daemon.ctl("attach", "--domain", "1", "--mode", "token", *options).stdout.strip()
             for options in (("--parser", "http1", "--listen", f"127.0.0.1:{LISTEN}"),
                             ("--parser", "http1", "--upstream", f"127.0.0.1:{ORIGIN}"))]
    try:
        yield
    finally:
        for rule in reversed(rules):
            env.daemon.ctl("detach", rule)


def tls_client(version):
    """One that speaks this version only."""
    return RawClient(f"127.0.0.1:{LISTEN}", tls=True, version=VERSIONS[version])


def kernel_encrypts():
    """Connections that did so far, by software or by a device."""
    counts = ktls.counters()
    return counts["TlsTxSw"] + counts["TlsTxDevice"]


class Counted:
    """What Libra's counters went up by."""

    def __init__(self):
        self._before = libra.counters()

    def __getitem__(self, name):
        return libra.counters()[name] - self._before[name]


def check_exact(case, env, client, size):
    response = client.get(f"/{size}")
    case.equal(response.status, 200, f"{size}: status")
    case.check(response.body == env.bodies[size], f"{size}: other bytes arrived")


def encrypted(env, tap, version):
    with nginx(env, version), policy(env):
        for size in SIZES:
            with tap.case(f"nginx, {version}, {size}") as case:
                encrypts, counted = kernel_encrypts(), Counted()
                for _ in range(3):
                    with tls_client(version) as client:
                        for _ in range(3):
                            check_exact(case, env, client, size)
                case.equal(kernel_encrypts() - encrypts, 3, "connections with kernel TLS")
                case.equal(counted["tx_tls_streams"], 3, "of these, searched")
                payload = 9 * len(env.bodies[size])
                sent = counted["tx_redeemed_bytes"]
                print(f"# {version} {size}: {sent / payload:.3f} of the payload from anchors",
                      flush=True)
                if len(env.bodies[size]) >= 256 << 10:
                    case.check(sent >= SHARE * payload, f"anchored: {sent} of {payload}")
                    case.check(counted["anchors_redeemed"] > 0, "no anchor was redeemed")
                case.equal(env.daemon.status()["passing"], [], "passing")


def many(env, tap):
    """Clients that come and go beside each other; each byte is looked at."""
    def visit(number):
        case_errors = []
        with tls_client(list(VERSIONS)[number % 2]) as client:
            for turn in range(4):
                size = SIZES[(number + turn) % len(SIZES)]
                response = client.get(f"/{size}")
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
            with tls_client(list(VERSIONS)[number % 2]) as client:
                client.send("GET /1m HTTP/1.1\nHost: test")
                client.stream.read(10000 + number)
        with tls_client("TLSv1.3") as client:
            check_exact(case, env, client, "256k")


def by_itself(env, tap):
    """Encrypted in user space: nothing is anchored that could go there."""
    with tap.case("nginx that encrypts by itself") as case, nginx(env, "itself", ""), policy(env):
        for version in VERSIONS:
            counted = Counted()
            with tls_client(version) as client:
                for size in SIZES:
                    check_exact(case, env, client, size)
                case.equal(len(env.daemon.status()["passing"]), 1, "passing")
            case.equal(counted["anchors_minted"], 0, "anchors")
            case.equal(counted["tx_tls_streams"], 0, "streams")


def switched_off(env, tap):
    with tap.case("net.libra.tls 0") as case, libra.sysctl("tls", 0), \
            nginx(env, "off"), policy(env), tls_client("TLSv1.3") as client:
        counted = Counted()
        for size in SIZES:
            check_exact(case, env, client, size)
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
        with tls_client("TLSv1.3") as client:
            check_exact(case, env, client, "256k")
        case.check(counted["anchors_redeemed"] > 0, "no anchor was redeemed")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    ktls.load()
    env.bodies = {}
    for size in SIZES:
        with open(env.reference(size), "rb") as content:
            env.bodies[size] = content.read()
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
