#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections that no policy names, of proxies that receive tokens: none leaves by them."""

import contextlib
import multiprocessing
import os
import socket
import time

import vmtest
from harness import ktls, libra, servers
from harness.matrix import certificate
from harness.raw_http import RawClient

ORIGIN, RAW_ORIGIN, LISTEN, LISTEN_TLS, SINK = 8001, 8002, 8101, 8102, 8009
SIZE = 65536
BODY = b"x" * SIZE

NGINX = """
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_max_temp_file_size 0;
            {directives}
        }}
    }}
"""


@contextlib.contextmanager
def nginx(env, name):
    with servers.start_nginx(name, env.path(name), NGINX.format(
            plain=LISTEN, tls=LISTEN_TLS, origin=ORIGIN, pem=certificate(env),
            directives=servers.NGINX_CONFIGS["b"]), LISTEN) as process:
        yield process


@contextlib.contextmanager
def policy(env):
    with env.daemon.policy(f"127.0.0.1:{LISTEN}", f"127.0.0.1:{ORIGIN}", 1):
        yield


@contextlib.contextmanager
def raw_policy(env, origin=ORIGIN, domain=1):
    with env.daemon.policy(f"127.0.0.1:{LISTEN + domain * 10}", f"127.0.0.1:{origin}", domain,
                           parser="raw"):
        yield


def client_of(port, tls=False):
    """Whose connection is kept alive."""
    return RawClient(f"127.0.0.1:{port}", tls=tls)


def answer_of(client):
    """The body of its next answer."""
    response = client.get("/64k")
    assert response.status == 200, response
    return response.body


def minted(case, env, client, what):
    """How many anchors its next answer is made of; it has to be exact."""
    before = libra.counters()["anchors_minted"]
    case.check(answer_of(client) == env.body, f"{what}: other bytes arrived")
    return libra.counters()["anchors_minted"] - before


def first_client(env, tap):
    """The TLS client's request is read before nginx has ever received anything."""
    with tap.case("a new proxy's first client, TLS, where no policy names it") as case, \
            nginx(env, "first"), policy(env), client_of(LISTEN_TLS, tls=True) as client:
        case.equal(minted(case, env, client, "TLS"), 0, "anchors for the TLS client")


def beside(env, tap):
    with nginx(env, "beside"), policy(env), client_of(LISTEN) as plain:
        with tap.case("a client of the policy's listener") as case:
            case.check(minted(case, env, plain, "plain") > 0, "nothing is anchored")
        with tap.case("a TLS client beside it, where no policy names it") as case, \
                client_of(LISTEN_TLS, tls=True) as tls:
            for _ in range(3):
                case.equal(minted(case, env, tls, "TLS"), 0, "anchors for the TLS client")
                case.equal(minted(case, env, plain, "plain"), 0, "anchors beside it")
            named(case, env)
        with tap.case("when that is gone") as case:
            end = time.monotonic() + 10
            while env.daemon.status()["passing"] and time.monotonic() < end:
                time.sleep(0.05)
            case.check(minted(case, env, plain, "plain") > 0, "nothing is anchored")


def named(case, env):
    passing = env.daemon.status()["passing"]
    case.equal([(domain["domain"], domain["clients"]) for domain in passing], [(None, 1)],
               "passing")
    connection = passing[0]["oldest"][0]
    case.equal((connection["local"], connection["reason"]),
               (f"127.0.0.1:{LISTEN_TLS}", "fallback_stranger"), "the oldest")
    shown = env.daemon.ctl("status").stdout
    case.check("which no policy names" in shown and connection["peer"] in shown, shown)


def _send_by_the_way(pipe, origin, sink_first, cut):
    """A proxy, in a session of its own, that sends elsewhere what it received."""
    os.setsid()
    sink = socket.create_connection(("127.0.0.1", SINK), 20) if sink_first else None
    with socket.create_connection(("127.0.0.1", origin), 20) as upstream:
        memory = bytearray(SIZE)
        got = 0
        while got < SIZE:
            got += upstream.recv_into(memoryview(memory)[got:])
        sink = sink or socket.create_connection(("127.0.0.1", SINK), 20)
        with sink:
            error = 0
            try:
                sink.sendall(b"before")
                sink.sendall(memory[:cut])
                sink.sendall(memory[cut:])
                sink.shutdown(socket.SHUT_WR)
            except OSError as said:
                error = said.errno
            pipe.send((bytes(memory) != BODY, error))
            pipe.recv()


def by_the_way(port=ORIGIN, sink_first=False, cut=SIZE):
    """(Was there a token in memory?, what the sink got, whether its connection was reset)"""
    pipe, theirs = multiprocessing.Pipe()
    with socket.create_server(("127.0.0.1", port)) as origins, \
            socket.create_server(("127.0.0.1", SINK)) as sinks:
        process = multiprocessing.get_context("fork").Process(
            target=_send_by_the_way, args=(theirs, port, sink_first, cut), daemon=True)
        process.start()
        origin, _ = origins.accept()
        with origin:
            origin.sendall(BODY)
            sink, _ = sinks.accept()
            sink.settimeout(20)
            got = b""
            reset = False
            with sink:
                try:
                    while data := sink.recv(1 << 20):
                        got += data
                except ConnectionResetError:
                    reset = True
            assert pipe.poll(20), "the process does not answer"
            token, _ = pipe.recv()
            pipe.send(None)
    process.join(20)
    return token, got, reset


def elsewhere(env, tap):
    del env
    for name, options in (("opened later", {}), ("opened before", {"sink_first": True}),
                          ("a VPI in two pieces", {"cut": 20})):
        with tap.case(f"a token is sent to where no policy says, {name}") as case:
            before = libra.counters()
            token, got, reset = by_the_way(**options)
            case.check(token, "nothing was anchored")
            case.check(b"before".startswith(got), f"{len(got)} bytes arrived")
            case.check(reset, "the connection was not aborted")
            stops = libra.counters()["fail_stops"] - before["fail_stops"]
            case.equal(stops, 1, "fail-stops")
    with tap.case("net.libra.strangers 0: it arrives") as case, libra.sysctl("strangers", 0):
        token, got, _ = by_the_way()
        case.check(token and len(got) == len(b"before") + SIZE and BODY not in got,
                   f"{len(got)} bytes arrived")


def _send_encrypted(pipe):
    """A proxy, in a session of its own, of which one connection had kTLS first."""
    os.setsid()
    with socket.create_connection(("127.0.0.1", SINK), 20) as sink:
        ktls.enable(sink, ktls.Keys())
        with socket.create_connection(("127.0.0.1", ORIGIN), 20) as upstream:
            got = upstream.recv(SIZE, socket.MSG_WAITALL)
            sink.sendall(BODY)
            pipe.send(got != BODY)
            pipe.recv()


def encrypted(env, tap):
    """What has a ULP when it is attached goes on through it."""
    del env
    with tap.case("a connection with kTLS, opened before: what it is sent is encrypted") as case, \
            socket.create_server(("127.0.0.1", ORIGIN)) as origins, \
            socket.create_server(("127.0.0.1", SINK)) as sinks:
        pipe, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=_send_encrypted, args=(theirs,), daemon=True)
        process.start()
        sink, _ = sinks.accept()
        sink.settimeout(20)
        origin, _ = origins.accept()
        with origin, sink:
            origin.sendall(BODY)
            got = b""
            while len(got) < SIZE and (data := sink.recv(1 << 20)):
                got += data
            case.check(pipe.recv(), "nothing was anchored")
            pipe.send(None)
        process.join(20)
        case.equal(got[:3], b"\x17\x03\x03", "the first record's header")
        case.check(BODY[:32] not in got, "it is in clear")


def restarted(env, tap):
    """A TLS request is read while librad is away, and answered when it is back."""
    with tap.case("librad is away while a TLS client's request is read") as case, \
            nginx(env, "restarted"):
        with policy(env), client_of(LISTEN) as plain:
            case.check(minted(case, env, plain, "plain") > 0, "nothing is anchored")
        env.daemon.stop()
        with client_of(LISTEN_TLS, tls=True) as tls:
            # Of the TLS handshake, and one answer: nginx has read from it.
            case.check(answer_of(tls) == env.body, "without librad: other bytes arrived")
            env.daemon.start()
            with policy(env):
                case.equal(minted(case, env, tls, "TLS"), 0, "anchors for the TLS client")


def two_proxies(env, tap):
    """What one proxy has open is no matter of another one's."""
    with nginx(env, "one"), policy(env), client_of(LISTEN) as plain, \
            tap.case("a proxy beside another one that has clients nobody names") as case:
        case.check(minted(case, env, plain, "plain") > 0, "nothing is anchored")
        with client_of(LISTEN_TLS, tls=True) as tls:
            answer_of(tls)
            case.equal(minted(case, env, plain, "plain"), 0, "anchors of the same proxy")
            token, got, reset = by_the_way(RAW_ORIGIN)
            case.check(token, "nothing is anchored for the other one")
            case.check(reset and b"before".startswith(got), f"{len(got)} bytes arrived")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with open(env.reference("64k"), "rb") as content:
        env.body = content.read()
    with env.origin(f"127.0.0.1:{ORIGIN}"):
        first_client(env, tap)
        beside(env, tap)
        restarted(env, tap)
    with raw_policy(env):
        elsewhere(env, tap)
        encrypted(env, tap)
    with env.origin(f"127.0.0.1:{ORIGIN}"), raw_policy(env, RAW_ORIGIN, 2):
        two_proxies(env, tap)
    with tap.case("nothing is left of it") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("strangers", __doc__, body, sizes=("64k",), parsers=("http1", "raw"))
