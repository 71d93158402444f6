#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Clients that come by TCP Fast Open get bytes, never tokens.

Their connection is accepted, read and answered before the handshake is over. Every packet on the
loopback is delayed, so that there is time for it, and for the last ACK of the handshake to come
between any two calls of the proxy, which is this script.
"""

import contextlib
import os
import socket
import time

import vmtest
from harness import libra
from test_netem import call

SYSCTL = "/proc/sys/net/ipv4/tcp_fastopen"
# Both sides, without cookies.
ON = 0x1 | 0x2 | 0x4 | 0x200
DELAY_MS = 250
TCP_FASTOPEN = 23
TCP_FASTOPEN_CONNECT = 30
TCP_SYN_RECV = 3
LISTEN, ORIGIN = 8101, 8001
BODY = os.urandom(65536)
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
UPLOAD = b"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@contextlib.contextmanager
def delayed():
    with open(SYSCTL, "w", encoding="ascii") as out:
        out.write(str(ON))
    call("tc", "qdisc", "replace", "dev", "lo", "root", "netem", "delay", f"{DELAY_MS}ms",
         "limit", "100000")
    try:
        yield
    finally:
        call("tc", "qdisc", "del", "dev", "lo", "root")


def state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def wait_queued(sock, count):
    """Until so many bytes can be read."""
    end = time.monotonic() + 10
    while len(sock.recv(count, socket.MSG_PEEK)) < count:
        assert time.monotonic() < end, "the bytes do not arrive"
        time.sleep(0.01)


def wait_established(sock):
    end = time.monotonic() + 10
    while state(sock) == TCP_SYN_RECV:
        assert time.monotonic() < end, "the handshake does not end"
        time.sleep(0.01)


@contextlib.contextmanager
def upstream(proxy_sends=b""):
    """A connection of the proxy, on which all of the response waits to be read."""
    with socket.create_server(("127.0.0.1", ORIGIN)) as listener:
        proxy = socket.create_connection(("127.0.0.1", ORIGIN), 10)
        origin, _ = listener.accept()
    with proxy, origin:
        proxy.sendall(proxy_sends or REQUEST)
        origin.settimeout(10)
        assert origin.recv(len(REQUEST)) == REQUEST
        proxy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        origin.sendall(RESPONSE)
        wait_queued(proxy, len(RESPONSE))
        yield proxy


def read_all(sock, count):
    memory = bytearray(count)
    got = 0
    while got < count and (n := sock.recv_into(memoryview(memory)[got:])):
        got += n
    return bytes(memory[:got])


def received(client):
    """All that the client gets until the end, or None after an abort."""
    client.settimeout(10)
    got = b""
    try:
        while data := client.recv(1 << 20):
            got += data
    except ConnectionError:
        return None
    return got


@contextlib.contextmanager
def fast_client(listener, data):
    """(the proxy's end, the client): the data comes with the SYN."""
    with socket.socket() as client:
        client.setblocking(False)
        client.sendto(data, socket.MSG_FASTOPEN, ("127.0.0.1", LISTEN))
        accepted, _ = listener.accept()
        accepted.settimeout(10)
        with accepted:
            assert state(accepted) == TCP_SYN_RECV, "it is no fast open"
            yield accepted, client


def exchange(case, listener, origin, ack_before):
    """One request and its response; the handshake ends before this step of the proxy."""
    steps = ("first read", "rest of the request", "answer", "end of the answer", "close")

    def step(name):
        if name == ack_before:
            wait_established(accepted)
        elif steps.index(name) < steps.index(ack_before):
            case.equal(state(accepted), TCP_SYN_RECV, f"state before the {name}")

    with fast_client(listener, REQUEST) as (accepted, client):
        step("first read")
        request = accepted.recv(7)
        step("rest of the request")
        request += accepted.recv(len(REQUEST))
        case.check(request == REQUEST, f"request: {request}")
        memory = read_all(origin, len(RESPONSE))
        step("answer")
        try:
            accepted.sendall(memory[:30000])
            step("end of the answer")
            accepted.sendall(memory[30000:])
        except ConnectionError:
            pass  # the client sees it as well
        step("close")
        accepted.close()
        got = received(client)
    case.check(got is not None, "aborted")
    case.check(got is None or got == RESPONSE, f"{len(got or b'')} bytes came, but others")
    case.check(memory != RESPONSE, "nothing was anchored")


def passive(env, tap, listener):
    for ack_before in ("close", "end of the answer", "answer", "rest of the request",
                       "first read"):
        with tap.case(f"the handshake ends before the {ack_before}") as case:
            before = libra.counters()
            with upstream() as origin:
                exchange(case, listener, origin, ack_before)
            env.check_idle(case)
            now = libra.counters()
            case.equal(now["fail_stops"] - before["fail_stops"], 0, "fail-stops")
            case.check(now["tx_redeemed_bytes"] > before["tx_redeemed_bytes"],
                       "nothing was redeemed")


def unread(env, tap, listener):
    with tap.case("a client that is not answered") as case:
        for data in (b"", REQUEST):
            with fast_client(listener, REQUEST) as (accepted, _):
                if data:
                    case.equal(accepted.recv(len(data)), data, "request")
        env.check_idle(case)


def active(env, tap):
    """What goes with a SYN of ours goes before the policy's look: no token may be in it."""
    with tap.case("an upload to an upstream by fast open") as case, \
            socket.create_server(("127.0.0.1", LISTEN)) as listener, \
            socket.create_server(("127.0.0.1", ORIGIN)) as origins:
        origins.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
        client = socket.create_connection(("127.0.0.1", LISTEN), 10)
        accepted, _ = listener.accept()
        proxy = socket.socket()
        with client, accepted, proxy:
            client.sendall(UPLOAD)
            wait_queued(accepted, len(UPLOAD))
            memory = read_all(accepted, len(UPLOAD))
            case.check(memory != UPLOAD, "nothing was anchored")
            proxy.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            proxy.connect(("127.0.0.1", ORIGIN))
            with contextlib.suppress(ConnectionError):
                proxy.sendall(memory)
            proxy.close()
            origins.settimeout(3)
            try:
                origin, _ = origins.accept()
            except TimeoutError:
                got = None
            else:
                with origin:
                    got = received(origin)
        case.check(got is None or UPLOAD.startswith(got), "wrong bytes came")
        left = libra.settle()
        case.equal(left, {}, "left behind")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with delayed(), env.daemon.policy(f"127.0.0.1:{LISTEN}", f"127.0.0.1:{ORIGIN}", 1,
                                      options=["--anchor-requests"]):
        with socket.create_server(("127.0.0.1", LISTEN)) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
            listener.settimeout(10)
            passive(env, tap, listener)
            unread(env, tap, listener)
        active(env, tap)


if __name__ == "__main__":
    vmtest.main("fastopen", __doc__, body, one_session=True)
