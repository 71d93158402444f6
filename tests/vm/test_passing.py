#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Clients that no parser understands: who holds what down, for how long, and how it shows."""

import contextlib
import socket

import vmtest
from harness import libra
from harness.pair import connect
from harness.process import in_new_session

# (client's port, origin's port) of each domain
DOMAINS = {1: (8101, 8001), 2: (8103, 8003)}
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
BODY = b"x" * 65536
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
# A record of a handshake, and one of application data behind it.
HELLO = b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"
NO_HTTP = {"TLS": HELLO + b"\x17\x03\x03\x00\xc8\x01",
           # With prior knowledge.
           "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}


@contextlib.contextmanager
def client_that_says(domain, said):
    """Both ends of its connection to a proxy that has read it."""
    proxy, client = connect(DOMAINS[domain][0])
    with proxy, client:
        client.sendall(said)
        got = b""
        while len(got) < len(said):
            got += proxy.recv(len(said) - len(got))
        yield proxy, client


def anchors(domain):
    """Is an answer of that domain's origin kept in the kernel? Nobody is sent it."""
    before = libra.counters()["anchors_minted"]
    origin, proxy = connect(DOMAINS[domain][1])
    with origin, proxy:
        proxy.sendall(REQUEST)
        assert origin.recv(len(REQUEST)) == REQUEST
        origin.sendall(ANSWER)
        got = 0
        while got < len(ANSWER):
            got += len(proxy.recv(len(ANSWER)))
    return libra.counters()["anchors_minted"] > before


def blank_lines(env, tap):
    del env
    with tap.case("empty lines before a request hold nobody down") as case:
        with client_that_says(1, b"\r\n" + REQUEST):
            case.check(anchors(1), "nothing is anchored beside \\r\\n GET")
        with client_that_says(1, b"\r\n"):
            case.check(anchors(1), "nothing is anchored beside \\r\\n")
        with client_that_says(1, REQUEST + b"\r\n\r\n" + REQUEST):
            case.check(anchors(1), "nothing is anchored beside GET \\r\\n\\r\\n GET")


def handshakes(env, tap):
    """Nothing of theirs is answered yet; the proxy may have the kernel encrypt what will be."""
    del env
    with tap.case("a TLS handshake to a port of HTTP holds nobody down") as case:
        for said in (HELLO[:1], HELLO[:-1], HELLO, HELLO + HELLO):
            with client_that_says(1, said):
                case.check(anchors(1), f"nothing is anchored beside {said}")


def named(env, tap):
    for name, said in NO_HTTP.items():
        with tap.case(f"{name} to a port of HTTP: it is named while it lasts") as case:
            with client_that_says(1, said) as (proxy, client):
                case.check(not anchors(1), "it does not hold its domain down")
                status = env.daemon.status()
                held = [domain for domain in status["passing"] if domain["domain"] == 1]
                case.check(len(held) == 1 and held[0]["clients"] == 1, f"{status['passing']}")
                address = "{}:{}".format(*client.getsockname())
                for oldest in held[0]["oldest"] if held else []:
                    case.equal((oldest["role"], oldest["peer"], oldest["local"], oldest["reason"]),
                               ("client", address, f"127.0.0.1:{DOMAINS[1][0]}",
                                "fallback_parser_pass"), "the connection")
                shown = env.daemon.ctl("status").stdout
                case.check(address in shown and "no responses are kept" in shown, shown)
                # As a server does that has refused its client, and waits for it to go.
                proxy.shutdown(socket.SHUT_WR)
                case.check(anchors(1), "it holds its domain down when nothing is sent to it")
                case.equal(env.daemon.status()["passing"], [], "passing")


def two_domains(env, tap):
    del env
    with tap.case("what a process sends by in one domain holds it down in another") as case:
        case.check(anchors(2), "nothing is anchored to begin with")
        with client_that_says(1, NO_HTTP["TLS"]):
            case.check(not anchors(2), "the TLS client could be sent what is anchored")
            case.check(in_new_session(anchors, 2, timeout=20), "a process that has nothing to do with it is held down")
        case.check(anchors(2), "nothing is anchored afterwards")


def left_out(env, tap):
    """What librad says of policies by which tokens would go astray."""
    upstream = ("--upstream", "127.0.0.1:8007", "--parser", "http1", "--mode", "token")
    with tap.case("a listener that the policy leaves out is named") as case, \
            socket.create_server(("127.0.0.1", 8105)), socket.create_server(("127.0.0.1", 8106)):
        done = env.daemon.ctl("attach", *upstream, "--listen", "127.0.0.1:8105", "--domain", "3")
        case.check("127.0.0.1:8106" in done.stderr and "8105" not in done.stderr, done.stderr)
        done = env.daemon.ctl("attach", *upstream, "--listen", "*:8106", "--domain", "3")
        case.equal(done.stderr, "", "with both of them")
    with tap.case("an upstream is in one domain") as case:
        done = env.daemon.ctl("attach", *upstream, "--listen", "*:8107", "--domain", "4",
                              check=False)
        case.equal(done.returncode, 1, "exit status")
        case.check("belong to domain 3" in done.stderr, done.stderr)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(libra.sysctl("max_unmet", 4096))
        for domain, (listen, origin) in DOMAINS.items():
            stack.enter_context(env.daemon.policy(f"127.0.0.1:{listen}", f"127.0.0.1:{origin}",
                                                  domain))
        blank_lines(env, tap)
        handshakes(env, tap)
        named(env, tap)
        two_domains(env, tap)
        left_out(env, tap)
    with tap.case("nothing is left of it") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("passing", __doc__, body, one_session=True)
