#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What lies unread in payload memory goes to kernel TLS from the kernel, with the same bytes and
in the same records as without Libra: of a program made for it, and of proxies."""

import json
import os
import random
import socket
import subprocess
import sys
import threading

import vmtest
from harness import ktls, lazy, libra, more_proxies
from harness.matrix import certificate
from harness.tls_proxy import (LARGE, LISTEN, ORIGIN, VERSIONS, Counted, bodies, check_exact, client,
                               kernel_encrypts)

SIZES = ("1k", "64k", "256k", "1m")
BLOCK, PAGE = 1 << 20, 4096
FORWARD = "--forward"
# Of one send(); kernel TLS makes records of at most ktls.RECORD of them.
PIECES = {"bytes": (1, 100, PAGE - 1, 5000), "pages": (PAGE, 3 * PAGE + 5, ktls.RECORD),
          "large": (ktls.RECORD + 1, 100_000, BLOCK)}
# Of a record in TLS 1.3: its header; its type and tag, which count as its length.
HEADER, BESIDE = 5, 17


def forward(pieces, seed, taken, given):
    """The program: what comes by one socket goes by the other, which the kernel encrypts, in
    pieces of these sizes, of which some have a byte of its own in the middle. It looks at some."""
    choose = random.Random(seed)
    taken, given = socket.socket(fileno=taken), socket.socket(fileno=given)
    block = memoryview(bytearray(BLOCK))
    calls = []
    while have := taken.recv_into(block, BLOCK, socket.MSG_WAITALL):
        at = 0
        while at < have:
            end = min(have, at + choose.choice(pieces))
            flags = socket.MSG_MORE if choose.random() < 0.3 and end < have else 0
            if choose.random() < 0.1:
                bytes(block[at:at + 1])
            middle = choose.randint(at, end) if choose.random() < 0.3 else None
            parts = [block[at:end]] if middle is None else [block[at:middle], b"+",
                                                           block[middle:end]]
            wanted = sum(map(len, parts))
            if given.sendmsg(parts, [], flags) != wanted:
                raise OSError("a blocking send() took only a part")
            calls.append((end - at, None if middle is None else middle - at))
            at = end
    print(json.dumps(calls))


def made(data, calls):
    """What these calls made of it."""
    out, at = [], 0
    for count, middle in calls:
        out += [data[at:at + count]] if middle is None else [
            data[at:at + middle], b"+", data[at + middle:at + count]]
        at += count
    return b"".join(out)


def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


def all_of(sock):
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def records(stream):
    """The lengths of those in a stream of TLS 1.3."""
    lengths = []
    while stream:
        size = int.from_bytes(stream[3:HEADER], "big")
        lengths.append(size - BESIDE)
        stream = stream[HEADER + size:]
    return lengths


def through(env, data, kind, seed, preload, decrypt):
    """What arrives at the other end, decrypted or not, and the program's calls."""
    keys = ktls.Keys(version=ktls.TLS_1_3)
    (origin, taken), (given, peer) = pair(), pair()
    with origin, peer:
        with taken, given:
            ktls.enable(given, transmit=keys)
            numbers = (taken.fileno(), given.fileno())
            process = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), FORWARD, kind, str(seed),
                 *map(str, numbers)], stdout=subprocess.PIPE, pass_fds=numbers,
                env={**os.environ, **(env.preload() if preload else {})})
        if decrypt:
            ktls.enable(peer, receive=keys)

        def feed():
            origin.sendall(data)
            origin.shutdown(socket.SHUT_WR)
        feeder = threading.Thread(target=feed)
        feeder.start()
        got = all_of(peer)
        feeder.join()
    said, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the program ended with status {process.returncode}")
    return got, json.loads(said)


def sends(env, tap):
    data = random.Random(7).randbytes(3 * BLOCK + 12345)
    for kind in PIECES:
        with tap.case(f"send() of {kind}") as case, lazy.always(env):
            for seed in range(1 if env.args.quick else 10):
                counted = Counted()
                got, calls = through(env, data, kind, seed, True, True)
                case.check(got == made(data, calls), f"seed {seed}: other bytes arrived")
                kept, looked = counted["lazy_tx_bytes"], counted["lazy_fills_kernel"]
                print(f"# {kind}, seed {seed}: {len(calls)} calls, {kept / len(data):.2f} of the "
                      f"bytes from the kernel, {looked} pages filled by it", flush=True)
                # What is longer than one call of the transport goes natively.
                case.check(kind == "large" or kept > len(data) // 2,
                           f"seed {seed}: {kept} bytes went from the kernel")
                native, calls_then = through(env, data, kind, seed, False, False)
                now, calls_now = through(env, data, kind, seed, True, False)
                case.equal(calls_now, calls_then, f"seed {seed}: calls")
                case.equal(records(now), records(native), f"seed {seed}: records")


def switched_off(env, tap):
    with tap.case("net.libra.tls 0") as case, libra.sysctl("tls", 0):
        data = random.Random(8).randbytes(BLOCK)
        counted = Counted()
        got, calls = through(env, data, "pages", 1, True, True)
        case.check(got == made(data, calls), "other bytes arrived")
        case.equal(counted["lazy_tx_bytes"], 0, "bytes from the kernel")
        case.check(counted["lazy_rx_bytes"] > 0, "nothing was lazy")


def proxy(env, tap, name, start, least):
    """least: the share of large bodies that has to go from the kernel; None: of some, any."""
    before_all = env.counters()["lazy_tx_bytes"]
    with start():
        for version in VERSIONS:
            for size in SIZES:
                with tap.case(f"{name}, {version}, {size}") as case:
                    encrypts, before = kernel_encrypts(), env.counters()
                    with client(version) as by:
                        for _ in range(8):
                            check_exact(case, env, by, f"/{size}")
                    case.equal(kernel_encrypts() - encrypts, 1, "connections with kernel TLS")
                    moved = lazy.moved(before, env.counters())
                    share = moved.get("lazy_tx_bytes", 0) / (8 * len(env.bodies[size]))
                    print(f"# {name}, {version}, {size}: {share:.2f} from the kernel; {moved}",
                          flush=True)
                    if least and len(env.bodies[size]) >= LARGE:
                        case.check(share >= least, f"only {share:.2f} went from the kernel")
        with tap.case(f"{name}: something went from the kernel") as case:
            case.check(env.counters()["lazy_tx_bytes"] > before_all, "nothing did")


def proxies(env, tap):
    pem = certificate(env)
    # All that it reads it passes on from where it lies.
    proxy(env, tap, "socat", lambda: more_proxies.start_socat(
        env.path("socat"), LISTEN, ORIGIN, pem, env.preload()), 0.8)
    # It copies what lies at the ends of its buffers, and what it does in general is learned.
    proxy(env, tap, "lighttpd", lambda: more_proxies.start_lighttpd(
        env.path("lighttpd"), LISTEN, ORIGIN, env.preload(), pem), None)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    ktls.load()
    env.bodies = bodies(env, SIZES)
    with libra.sysctl("tls", 1):
        sends(env, tap)
        switched_off(env, tap)
        with env.origin(f"127.0.0.1:{ORIGIN}", sendfile=False):
            proxies(env, tap)
    with tap.case("no payload memory is left") as case:
        case.equal(lazy.settle(), {}, "left behind")


if __name__ == "__main__":
    if sys.argv[1:2] == [FORWARD]:
        forward(PIECES[sys.argv[2]], *map(int, sys.argv[3:]))
    else:
        vmtest.main("lazy-tls", __doc__, body, SIZES, daemon=False)
