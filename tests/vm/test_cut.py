#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A send() that ends as a VPI begins: nothing waits for what may be chance.

What is one is sent exactly, or the connection ends; which of the two depends on where the proxy
has the rest of it. What kernel TLS would encrypt waits a little, as nothing can be taken back.
"""

import contextlib
import os
import socket
import struct
import threading
import time

import vmtest
from harness import ktls, libra
from harness.pair import connect
from test_isolation import BODY, domains, mint, DOMAINS

MAGIC = 8
# As many bytes of a magic as may be chance, see LIBRA_VPI_CHANCE.
CHANCE = 4
VPI = 32
SO_SNDBUFFORCE = 32
# More than the client's end takes unread.
AHEAD = os.urandom(2 << 20)
# Half of what held bytes used to wait, and a lot more than a loopback takes.
SOON = 0.1
# Longer than anything waits that may be chance, where kernel TLS encrypts.
LATE = 1
TLS_SET_RECORD_TYPE, ALERT, DATA, CLOSE_NOTIFY = 1, 21, 23, b"\x01\x00"
TRIES = 5


@contextlib.contextmanager
def client(upstream=False, encrypted=False):
    """(the proxy's end, the client), or the origin, in domain 1, where all is payload; encrypted:
    by kernel TLS, towards the client."""
    proxy, peer = reversed(connect(DOMAINS[1][1])) if upstream else connect(DOMAINS[1][0])
    peer.settimeout(10)
    proxy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if encrypted:
        keys = ktls.Keys()
        ktls.enable(peer, receive=keys)
        ktls.enable(proxy, transmit=keys)
    with proxy, peer:
        yield proxy, peer


def receive(sock, count):
    got = b""
    while len(got) < count and (data := sock.recv(count - len(got))):
        got += data
    return got


def chance(tap, memory):
    """Bytes of a stream that goes on, and by chance are what a VPI begins with."""
    for n in range(1, CHANCE + 1):
        with tap.case(f"{n} bytes like a VPI's arrive at once") as case, client() as ends:
            proxy, peer = ends
            times = []
            for _ in range(TRIES):
                data = os.urandom(100) + b"." + memory[:n]
                begin = time.monotonic()
                proxy.sendall(data)
                case.check(receive(peer, len(data)) == data, "other bytes came")
                times.append(time.monotonic() - begin)
                proxy.sendall(b".")
                case.equal(receive(peer, 1), b".", "behind them")
            times.sort()
            case.check(times[TRIES // 2] < SOON, f"they came after {times} s")


def alone(tap, memory):
    with tap.case("as the only bytes of a send, one by one") as case, client() as ends:
        proxy, peer = ends
        data = b"".join(memory[:1 + i % CHANCE] + b"-" for i in range(20))
        begin = time.monotonic()
        for i in range(len(data)):
            proxy.sendall(data[i:i + 1])
            case.equal(receive(peer, 1), data[i:i + 1], f"byte {i}")
        took = time.monotonic() - begin
        case.check(took < 20 * SOON, f"it took {took} s")


def magic_in_pieces(tap, memory):
    """Beyond chance it is too late, if it is a VPI: some of it has been sent."""
    made_up = memory[:MAGIC] + os.urandom(VPI - MAGIC)
    with tap.case("a VPI in pieces ends the connection") as case, client() as ends:
        proxy, peer = ends
        before = libra.counters()["fail_stop_cut_vpi"]
        proxy.sendall(memory[:CHANCE])
        case.equal(receive(peer, CHANCE), memory[:CHANCE], "what may be chance")
        with contextlib.suppress(ConnectionError):
            proxy.sendall(memory[CHANCE:CHANCE + 1])
            proxy.sendall(memory[CHANCE + 1:VPI])
        try:
            case.equal(peer.recv(1), None, "behind that")
        except ConnectionError:
            pass
        case.equal(libra.counters()["fail_stop_cut_vpi"] - before, 1, "fail-stops")
    with tap.case("what a client made up to look like one does not, in whatever pieces") as case:
        before = libra.counters()
        for first in (*range(1, CHANCE + 1), MAGIC, MAGIC + 5, VPI - 1, VPI):
            for second in (1, 3, VPI - first):
                data = made_up + made_up[:CHANCE] + b"behind it"
                pieces = (data[:first], data[first:first + second], data[first + second:])
                with client(upstream=True) as ends:
                    proxy, peer = ends
                    for piece in filter(None, pieces):
                        proxy.sendall(piece)
                    case.equal(receive(peer, len(data)), data, f"{first} and {second} bytes")
                # And to a client, whole.
                with client() as ends:
                    proxy, peer = ends
                    proxy.sendall(data)
                    case.equal(receive(peer, len(data)), data, "to a client")
        after = libra.counters()
        case.equal(after["fail_stops"] - before["fail_stops"], 0, "fail-stops")
        case.check(after["vpis_made_up"] > before["vpis_made_up"], "none was counted")


def parts(pieces, flags=0):
    """Sends each from a place of its own in memory. What the client got, and whether that was
    all there will be."""
    with client() as ends:
        proxy, peer = ends
        got = b""
        try:
            for piece in pieces:
                proxy.sendall(bytes(bytearray(piece)), flags)
                time.sleep(0.02)
            proxy.shutdown(socket.SHUT_WR)
            while data := peer.recv(1 << 20):
                got += data
        except OSError:
            with contextlib.suppress(OSError):
                while data := peer.recv(1 << 20):
                    got += data
            return got, False
        return got, True


def altered(tap):
    with tap.case("what begins as a VPI, and went, does not go on as something else") as case:
        memory = mint(1)
        got, whole = parts((memory[:3], memory[3:20], b"A" * 100))
        case.check(not whole and memory[:3].startswith(got), f"{len(got)} bytes arrived")
    with tap.case("half a mark is not taken for its VPI") as case:
        for n in (16, 20, 23, 24, 31):
            memory = mint(1)
            got, whole = parts((memory[VPI:VPI + n],))
            case.equal((got, whole), (b"", False), f"{n} bytes of a mark")
    with tap.case("a VPI in three parts is exact where more was announced") as case:
        for first, second in ((1, 1), (1, 2), (2, 2), (3, 1)):
            memory = mint(1)
            got, whole = parts((memory[:first], memory[first:first + second],
                                memory[first + second:]), socket.MSG_MORE)
            case.check(whole and got == BODY, f"{first}, {second}: {len(got)} bytes")


def forward(n, moved=True, ahead=b"", flags=0, encrypted=False, pause=0.02):
    """What a VPI stands for in two sends, cut after n bytes; moved: the first part is elsewhere
    in memory; ahead: sent before that. What the client got of it, or None after an abort."""
    memory = mint(1)
    first = bytearray(memory[:n]) + b"#" * 64 if moved else memory
    with client(encrypted=encrypted) as ends:
        proxy, peer = ends
        proxy.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
        got = b""
        try:
            proxy.sendall(ahead)
            proxy.sendall(memoryview(first)[:n], flags)
            time.sleep(pause)
            proxy.sendall(memoryview(memory)[n:])
            proxy.shutdown(socket.SHUT_WR)
            while data := peer.recv(1 << 20):
                got += data
        except ConnectionError:
            return None
        return got[len(ahead):] if got.startswith(ahead) else got


def cut(tap):
    places = (*range(1, VPI), VPI + 1)
    with tap.case("a VPI cut where its memory goes on is exact, wherever") as case:
        for n in places:
            case.check(forward(n, moved=False) == BODY, f"cut after {n} bytes")
    with tap.case("a VPI cut and moved is exact where more was announced") as case:
        for n in places:
            case.check(forward(n, flags=socket.MSG_MORE) == BODY, f"cut after {n} bytes")
    with tap.case("a VPI cut and moved is exact behind what waits for the client") as case:
        for n in places:
            case.check(forward(n, ahead=AHEAD) == BODY, f"cut after {n} bytes")
    with tap.case("a VPI cut and moved is exact, or the connection ends") as case:
        before = libra.counters()["fail_stop_cut_vpi"]
        for n in places:
            case.equal({None: "aborted", BODY: "exact"}.get(forward(n), "wrong"),
                       "aborted" if n <= CHANCE else "exact", f"cut after {n} bytes")
        case.equal(libra.counters()["fail_stop_cut_vpi"] - before, CHANCE, "fail-stops")


def encrypted_chance(tap, memory):
    """It waits for the next send(), as there are anchors, but not for ever."""
    for n in range(1, CHANCE + 1):
        with tap.case(f"kTLS: {n} bytes like a VPI's arrive") as case, \
                client(encrypted=True) as ends:
            proxy, peer = ends
            for behind in (b"", b"."):
                data = os.urandom(100) + b"." + memory[:n] + behind
                proxy.sendall(data[:-len(behind)] if behind else data)
                proxy.sendall(behind)
                case.check(receive(peer, len(data)) == data, f"other bytes came, {behind} behind")
    with tap.case("kTLS: before the end of the connection") as case:
        for end in (socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_WR)):
            with client(encrypted=True) as ends:
                proxy, peer = ends
                proxy.sendall(b"." + memory[:CHANCE])
                end(proxy)
                case.equal(receive(peer, 100), b"." + memory[:CHANCE], "bytes")
    with tap.case("kTLS: before an alert") as case, client(encrypted=True) as ends:
        proxy, peer = ends
        proxy.sendall(b"." + memory[:CHANCE])
        proxy.sendmsg([CLOSE_NOTIFY], [(ktls.SOL_TLS, TLS_SET_RECORD_TYPE, bytes([ALERT]))])
        case.equal(receive(peer, 1 + CHANCE), b"." + memory[:CHANCE], "bytes")
        data, ancillary, _, _ = peer.recvmsg(100, 100)
        case.equal((data, ancillary[0][2]), (CLOSE_NOTIFY, bytes([ALERT])), "the alert")


def encrypted_cut(tap):
    places = (*range(1, VPI), VPI + 1)
    with tap.case("kTLS: a VPI cut where its memory goes on is exact, wherever") as case:
        for n in places:
            case.check(forward(n, moved=False, encrypted=True) == BODY, f"cut after {n} bytes")
    with tap.case("kTLS: a VPI cut and moved is exact, wherever") as case:
        for n in places:
            case.check(forward(n, encrypted=True) == BODY, f"cut after {n} bytes")
    with tap.case("kTLS: however late, behind what waits for the client") as case:
        for n in range(1, CHANCE + 1):
            case.check(forward(n, ahead=AHEAD, encrypted=True, pause=LATE) == BODY,
                       f"cut after {n} bytes")
    with tap.case("kTLS: too late, the connection ends") as case:
        before = libra.counters()["fail_stop_cut_vpi"]
        for n in range(1, CHANCE + 1):
            case.equal(forward(n, encrypted=True, pause=LATE), None, f"cut after {n} bytes")
        case.equal(libra.counters()["fail_stop_cut_vpi"] - before, CHANCE, "fail-stops")


def by_type(tap):
    with tap.case("kTLS: application data that says so, as GnuTLS's does") as case:
        memory = mint(1)
        says_so = [(ktls.SOL_TLS, TLS_SET_RECORD_TYPE, bytes([DATA]))]
        with client(encrypted=True) as ends:
            proxy, peer = ends
            proxy.sendmsg([b"before it"], says_so)
            for at in range(0, len(memory), ktls.RECORD):
                proxy.sendmsg([memory[at:at + ktls.RECORD]], says_so)
            proxy.sendmsg([b"behind it"], says_so)
            proxy.shutdown(socket.SHUT_WR)
            got = receive(peer, 1 << 30)
            case.check(got == b"before it" + BODY + b"behind it", f"{len(got)} bytes came")


@contextlib.contextmanager
def without_room(memory, ahead=AHEAD):
    """Bytes that may be a VPI's are held, and what was sent before fills the buffer."""
    with client(encrypted=True) as ends:
        proxy, peer = ends
        proxy.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
        proxy.setblocking(True)  # Python's own timeouts wait for room by themselves
        proxy.sendall(ahead)
        proxy.sendall(b"." + memory[:CHANCE])
        proxy.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8192)
        yield proxy, peer


def no_room(tap, memory):
    whole = AHEAD + b"." + memory[:CHANCE]
    for name, end in (("close()", socket.socket.close),
                      ("shutdown()", lambda sock: sock.shutdown(socket.SHUT_WR))):
        with tap.case(f"kTLS: {name} where there is no room") as case, \
                without_room(memory) as ends:
            proxy, peer = ends
            end(proxy)
            case.check(receive(peer, len(whole) + 1) == whole, "not all of it came")
    with tap.case("kTLS: shutdown() does not wait for a sender that waits for room") as case, \
            without_room(memory) as ends:
        proxy, peer = ends

        def send():
            with contextlib.suppress(OSError):
                proxy.sendall(b"x" * 100_000)

        def shut():
            with contextlib.suppress(OSError):
                proxy.shutdown(socket.SHUT_RDWR)

        threads = [threading.Thread(target=work) for work in (send, shut)]
        for thread in threads:
            thread.start()
            time.sleep(0.3)
        for thread in reversed(threads):
            thread.join(SOON * 50)
            case.check(not thread.is_alive(), "it still waits")
        # Or neither thread would end.
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        for thread in threads:
            thread.join()


def one_timeout(tap):
    """A call of many pieces waits no longer than one does."""
    with tap.case("kTLS: SO_SNDTIMEO is of the whole call") as case, \
            client(encrypted=True) as ends:
        proxy, peer = ends
        proxy.setblocking(True)
        proxy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 1, 0))
        proxy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        ended = threading.Event()

        def read():
            while not ended.wait(0.4):
                peer.recv(100_000)

        reader = threading.Thread(target=read)
        reader.start()
        sent = proxy.send(AHEAD * 4)
        ended.set()
        reader.join()
        case.check(sent < 4 * len(AHEAD), "it waited for all of it")


def no_keys(tap):
    with tap.case("a VPI cut and moved where TLS has no keys yet") as case:
        for n in (CHANCE + 1, 20, VPI - 1):
            memory = mint(1)
            with client() as ends:
                proxy, peer = ends
                proxy.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
                proxy.sendall(bytes(bytearray(memory[:n])))
                proxy.sendall(memory[n:])
                proxy.shutdown(socket.SHUT_WR)
                case.check(receive(peer, len(BODY) + 1) == BODY, f"cut after {n} bytes")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with domains(env), libra.sysctl("anchor_ttl_ms", 600_000):
        memory = mint(1)  # live for as long as the test runs
        chance(tap, memory)
        alone(tap, memory)
        magic_in_pieces(tap, memory)
        cut(tap)
        altered(tap)
        ktls.load()
        with libra.sysctl("tls", 1):
            encrypted_chance(tap, memory)
            encrypted_cut(tap)
            by_type(tap)
            no_room(tap, memory)
            one_timeout(tap)
            no_keys(tap)
    with tap.case("nothing is left") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("cut", __doc__, body, daemon=False)
