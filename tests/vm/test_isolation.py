#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A VPI is good once, in its own domain and namespace; forged ones never are.

And what ends, takes its anchors along: a process, a network namespace.
"""

import contextlib
import errno
import multiprocessing
import os
import socket

import vmtest
from harness import hostile, libra, netns
from harness.pair import connect
from harness.process import in_new_session

BODY = b"x" * 65536
# (client's port, origin's port) of each domain
DOMAINS = {1: (8101, 8001), 2: (8103, 8003)}
REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def add_options(parser):
    parser.add_argument("--forged", type=int, help="VPIs (default: 1000000, quick: what fits)")


@contextlib.contextmanager
def domains(env, parser="raw"):
    # All ends are this process's.
    with libra.Daemon(env.build, env.directory, (parser,)) as daemon, \
            libra.sysctl("strangers", 0), contextlib.ExitStack() as stack:
        for domain, (listen, origin) in DOMAINS.items():
            stack.enter_context(daemon.policy(f"127.0.0.1:{listen}", f"127.0.0.1:{origin}",
                                              domain, parser=parser))
        yield


def mint(domain):
    """What a proxy's memory holds after it read BODY from an origin in that domain."""
    origin, proxy = connect(DOMAINS[domain][1])
    with origin, proxy:
        origin.sendall(BODY)
        memory = bytearray(len(BODY))
        got = 0
        while got < len(memory):
            got += proxy.recv_into(memoryview(memory)[got:])
    assert memory != BODY, "nothing was anchored"
    return bytes(memory)


def deliver(domain, memory, parser="raw"):
    """Sends to a client of that domain; what it got, or None after an abort."""
    proxy, client = connect(DOMAINS[domain][0])
    head = b""
    got = b""
    with proxy, client:
        if parser == "http1":
            client.sendall(REQUEST)
            assert proxy.recv(len(REQUEST)) == REQUEST
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(memory)}\r\n\r\n".encode()
        try:
            proxy.sendall(head + memory)
            proxy.shutdown(socket.SHUT_WR)
            while data := client.recv(1 << 20):
                got += data
        except OSError:
            assert head.startswith(got), f"{len(got)} bytes arrived before the abort"
            return None
    return got[len(head):]


def refused(case, domain, memory, where):
    before = libra.counters()["fail_stops"]
    case.equal(deliver(domain, memory), None, f"sent in {where}")
    case.equal(libra.counters()["fail_stops"] - before, 1, f"fail-stops in {where}")


def other_domain(env, tap):
    with tap.case("a VPI of another domain is refused, and still good in its own") as case, \
            domains(env):
        memory = mint(1)
        refused(case, 2, memory, "another domain")
        case.check(deliver(1, memory) == BODY, "in its own domain it is not good any more")
        refused(case, 1, memory, "its own domain, again")


def stranger(env, tap):
    """A process that received nothing, and no other one of its session."""
    with tap.case("what a stranger has of another domain is data to him") as case, domains(env):
        memory = mint(1)
        before = libra.counters()
        case.check(in_new_session(deliver, 2, memory) == memory, "other bytes arrived")
        after = libra.counters()
        case.equal(after["fail_stops"] - before["fail_stops"], 0, "fail-stops")
        case.check(deliver(1, memory) == BODY, "in its own domain it is not good any more")


class Namespace:
    """A child process in a network namespace of its own, which runs one function."""

    def __init__(self, env, parser, function, *arguments):
        self._mine, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=self._run, args=(env, theirs, parser, function, arguments), daemon=True)
        self._process.start()
        theirs.close()

    @staticmethod
    def _run(env, pipe, parser, function, arguments):
        netns.enter()
        # The end of this process is abrupt on purpose: nothing is tidied up.
        env.directory = os.path.join(env.directory, "other")
        os.makedirs(env.directory, exist_ok=True)
        try:
            with domains(env, parser):
                pipe.send(function(*arguments))
                pipe.recv()
        except Exception as error:  # the parent's case fails with it
            pipe.send(error)

    def result(self):
        if not self._mine.poll(400):  # its librad has to start first
            raise RuntimeError("the other namespace does not answer")
        result = self._mine.recv()
        if isinstance(result, Exception):
            raise result
        return result

    def end(self):
        """Lets it end in order."""
        self._mine.send(None)
        self._process.join(20)

    def kill(self):
        self._process.kill()
        self._process.join(20)


def _deliver_and_count(memory, parser):
    before = libra.counters()["fail_stops"]
    return deliver(1, memory, parser), libra.counters()["fail_stops"] - before


def other_namespace(env, tap):
    with tap.case("a VPI of another namespace is refused, and still good in its own") as case, \
            domains(env), libra.sysctl("anchor_ttl_ms", 600_000):
        memory = mint(1)
        # A parser is registered once in a kernel: the other librad has another one. On the
        # debug kernel its start may take longer than an anchor lives.
        there = Namespace(env, "http1", _deliver_and_count, memory, "http1")
        case.equal(there.result(), (None, 1), "sent in another namespace: bytes, fail-stops")
        there.end()
        case.check(deliver(1, memory) == BODY, "in its own namespace it is not good any more")


def forged(env, tap):
    with tap.case("forged, replayed and bit-flipped VPIs: none is accepted") as case, \
            hostile.policies(env):
        quick = env.args.quick and not env.args.forged
        count = env.args.forged or 1_000_000
        result, said = hostile.run(env, "raw", "--forge", count, "--seconds", 20 if quick else 3600,
                                   timeout=3700)
        print(f"# {result}", flush=True)
        for line in said:
            case.check(False, line)
        case.equal(result["accepted"], 0, "accepted")
        case.equal(result["counted"]["fail_stops"], result["refused"], "fail-stops")
        tried = result["refused"] + result["plain"]
        case.check(tried >= (1000 if quick else count) and result["refused"] > tried / 50,
                   f"only {tried} were tried")
        case.equal(libra.settle(), {}, "left behind")


def _mint_many():
    return [bool(mint(1)) for _ in range(5)]


def half_shut(env, tap):
    """shutdown() of what is received changes nothing for half a VPI that is held."""
    with tap.case("a socket that holds half a VPI is shut down, both halves in turn") as case, \
            domains(env):
        memory = mint(1)
        proxy, client = connect(DOMAINS[1][0])
        with proxy, client:
            proxy.sendall(memory[:10])
            proxy.shutdown(socket.SHUT_RD)
            proxy.sendall(memory[10:])
            proxy.shutdown(socket.SHUT_WR)
            got = b""
            while data := client.recv(1 << 20):
                got += data
        case.check(got == BODY, f"{len(got)} bytes arrived, of {len(BODY)}")


def shut(env, tap):
    """send() behind shutdown() is refused as natively, whatever it brings."""
    with tap.case("what is sent behind a shutdown is EPIPE, with a VPI and without") as case, \
            domains(env):
        token = mint(1)
        for memory in (token, b"data", BODY):
            before = libra.counters()
            proxy, client = connect(DOMAINS[1][0])
            with proxy, client:
                proxy.sendall(b"before")
                proxy.shutdown(socket.SHUT_WR)
                try:
                    proxy.sendall(memory)
                    case.check(False, "it was sent")
                except OSError as error:
                    case.equal(error.errno, errno.EPIPE, "errno")
                got = b""
                while data := client.recv(1 << 20):
                    got += data
                case.equal(got, b"before", "arrived")
            moved = {name: value - before[name] for name, value in libra.counters().items()
                     if name.startswith(("fallback_", "fail_stop")) and value != before[name]}
            case.equal(moved, {}, "counters that moved")
        case.check(deliver(1, token) == BODY, "the VPI is not good any more")


def process_exit(env, tap):
    with tap.case("a process that is killed takes its anchors along") as case, domains(env):
        parent, child = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=_hold, args=(child,), daemon=True)
        process.start()
        assert parent.poll(20), "the process does not answer"
        parent.recv()
        case.check(libra.counters()["anchors_live"] >= 5, "no anchor is live")
        process.kill()
        process.join(20)
        case.equal(libra.wait_idle(5), {}, "left behind")


def _hold(pipe):
    """Five anchors whose connections are open; ends with a signal."""
    held = []
    for _ in range(5):
        origin, proxy = connect(DOMAINS[1][1])
        origin.sendall(BODY)
        held.append((origin, proxy, proxy.recv(len(BODY))))
    pipe.send(len(held))
    pipe.recv()


def namespace_exit(env, tap):
    if not os.path.isdir("/sys/module/libra/holders"):
        tap.skip("a namespace that ends takes its anchors along", "libra is built in")
        return
    with tap.case("a namespace that ends takes its anchors along") as case:
        there = Namespace(env, "raw", _mint_many)
        case.equal(there.result(), [True] * 5, "minted")
        there.kill()
        libra.unload_module(20)  # fails as long as one reference is left
        libra.load_module(env.args.libra_ko)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    other_domain(env, tap)
    stranger(env, tap)
    other_namespace(env, tap)
    half_shut(env, tap)
    shut(env, tap)
    process_exit(env, tap)
    namespace_exit(env, tap)
    forged(env, tap)


if __name__ == "__main__":
    vmtest.main("isolation", __doc__, body, daemon=False, add_options=add_options)
