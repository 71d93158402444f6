#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What kernel TLS decrypts is kept in the kernel; and all that a reader sees is as without Libra.

Whatever happens to records, their reader is told the same, with the same bytes, attached or not.
Then nginx: uploads of clients, and origins that speak TLS.
"""

import contextlib
import errno
import os
import socket
import struct
import threading
import time

import vmtest
from harness import ktls, libra, servers, tls_proxy
from harness.matrix import certificate
from harness.pair import connect
from harness.scripted_origin import ScriptedOrigin
from test_isolation import DOMAINS, domains

UNATTACHED = 8090
TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE = 1, 2
DATA, HANDSHAKE, ALERT = 23, 22, 21
CLOSE_NOTIFY = b"\x01\x00"
RECORD = 16384
PLAIN = os.urandom(200_000)
VERSIONS = {"TLS 1.2": ktls.TLS_1_2, "TLS 1.3": ktls.TLS_1_3}
SHARE = 0.95


class Ends:
    """A proxy's connection to its origin, of which kernel TLS decrypts what the proxy gets."""

    def __init__(self, port, version, wrong_key=False, client=False):
        """client: it is one's, in place of an origin's."""
        self.origin, self.proxy = reversed(connect(port)) if client else connect(port)
        self.proxy.settimeout(10)
        self.keys = ktls.Keys(version=version)
        ktls.enable(self.proxy, receive=ktls.Keys(version=version) if wrong_key else self.keys)
        self.memory = b""   # all data that the proxy got, as it lies there
        self.saw = []       # and what each call said

    def encrypt(self):
        ktls.enable(self.origin, transmit=self.keys)

    def send(self, data, kind=DATA):
        if kind == DATA:
            self.origin.sendall(data)
        else:
            self.origin.sendmsg([data], [(ktls.SOL_TLS, TLS_SET_RECORD_TYPE, bytes([kind]))])

    def tell(self, call):
        """What a call returned or raised; its data are kept."""
        try:
            result = call()
        except OSError as error:
            # Python's own timeouts have no number.
            self.saw.append(errno.errorcode[error.errno] if error.errno else "EAGAIN")
            return None
        if isinstance(result, tuple):
            data, ancillary, flags, _ = result
            kinds = [value[0] for level, kind, value in ancillary
                     if (level, kind) == (ktls.SOL_TLS, TLS_GET_RECORD_TYPE)]
            self.saw.append((len(data), kinds, flags))
            if kinds in ([], [DATA]):
                self.memory += data
        elif isinstance(result, bytes):
            self.saw.append(len(result))
            self.memory += result
        else:
            self.saw.append(result)
        return result

    def recv(self, size=1 << 20, flags=0):
        return self.tell(lambda: self.proxy.recv(size, flags))

    def recvmsg(self, size=1 << 20, flags=0):
        return self.tell(lambda: self.proxy.recvmsg(size, 64, flags))

    def drain(self, size=1 << 20, count=None):
        """All that comes, up to an end, in as many calls as it takes: how much."""
        before = len(self.memory)
        while (count is None or len(self.memory) - before < count) and self.recv(size):
            self.saw.pop()
        self.saw.append(len(self.memory) - before)

    def close(self):
        self.origin.close()
        self.proxy.close()


def http_ends():
    """Ends of which both encrypt: of what the proxy sends as well the kernel sees the plaintext."""
    ends = Ends(DOMAINS[1][1], ktls.TLS_1_2)
    back = ktls.Keys()
    ktls.enable(ends.proxy, transmit=back, ulp=False)
    ends.encrypt()
    ktls.enable(ends.origin, receive=back, ulp=False)
    return ends


def splice_away(sock, count):
    """Takes what is there by splice(), at most so much, and returns it."""
    read, write = os.pipe()
    try:
        return os.read(read, os.splice(sock.fileno(), write, count))
    finally:
        os.close(read)
        os.close(write)


def later(action, seconds=0.1):
    thread = threading.Timer(seconds, action)
    thread.start()
    return thread


def together(ends):
    ends.send(PLAIN)
    ends.drain(count=len(PLAIN))


def pieces(ends):
    ends.send(PLAIN[:RECORD * 3])
    for size in (1, 100, 5000, RECORD, 6000, 20000):
        ends.recv(size, socket.MSG_DONTWAIT)
    ends.drain(1000, RECORD * 3 - len(ends.memory))


def waits(ends):
    thread = later(lambda: ends.send(PLAIN[:50_000]))
    ends.drain(count=50_000)
    thread.join()


def nothing(ends):
    ends.recv(100, socket.MSG_DONTWAIT)
    ends.proxy.settimeout(None)
    ends.proxy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200_000))
    ends.recv(100)
    ends.send(PLAIN[:9000])
    ends.drain(count=9000)


def kinds(ends):
    """Records of other types, before, between and behind data."""
    ends.send(b"hello", HANDSHAKE)
    ends.send(PLAIN[:20_000])
    ends.send(CLOSE_NOTIFY, ALERT)
    ends.send(PLAIN[20_000:30_000])
    time.sleep(0.1)
    for _ in range(8):
        ends.recvmsg(1 << 20, socket.MSG_DONTWAIT)


def unwanted(ends):
    """One of another type, for which the reader has no place."""
    ends.send(PLAIN[:10_000])
    ends.send(CLOSE_NOTIFY, ALERT)
    time.sleep(0.1)
    for _ in range(3):
        ends.recv(1 << 20, socket.MSG_DONTWAIT)


def flags(ends):
    ends.send(PLAIN[:60_000])
    time.sleep(0.1)
    ends.tell(lambda: len(ends.proxy.recv(100, socket.MSG_PEEK)))
    ends.recv(40_000, socket.MSG_WAITALL)
    ends.tell(lambda: len(ends.proxy.recv(100, socket.MSG_PEEK)))
    ends.drain(count=60_000 - len(ends.memory))


def low_water(ends):
    ends.proxy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 30_000)
    ends.send(PLAIN[:60_000])
    time.sleep(0.1)
    ends.drain(count=60_000)


def spliced(ends):
    """Some of a record, behind everybody's back."""
    ends.send(PLAIN[:50_000])
    time.sleep(0.1)
    ends.recv(1000)
    got = splice_away(ends.proxy, 5000)
    ends.memory += got
    ends.saw.append(len(got))
    ends.drain(count=50_000 - len(ends.memory))


def waitall(ends):
    """An alert where as much as there is room for is waited for."""
    ends.send(PLAIN[:20_000])
    ends.send(CLOSE_NOTIFY, ALERT)
    ends.send(PLAIN[20_000:50_000])
    time.sleep(0.1)
    ends.recv(1000)
    for _ in range(3):
        ends.recvmsg(19_000, socket.MSG_WAITALL)
    ends.drain(count=50_000 - len(ends.memory))


def ends_well(ends):
    ends.send(PLAIN[:40_000])
    ends.send(CLOSE_NOTIFY, ALERT)
    ends.origin.close()
    time.sleep(0.1)
    for _ in range(6):
        ends.recvmsg()


def ends_badly(ends):
    ends.send(PLAIN[:40_000])
    ends.drain(count=40_000)
    ends.origin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends.origin.close()
    time.sleep(0.1)
    ends.recv()
    ends.recv()


def records(keys, data):
    """What TLS makes of data, a record an entry."""
    sender, receiver = connect(UNATTACHED)
    with sender, receiver:
        ktls.enable(sender, transmit=keys)
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)
        wire = b""
        while got := receiver.recv(1 << 20):
            wire += got
    made = []
    while wire:
        size = 5 + int.from_bytes(wire[3:5], "big")
        made.append(wire[:size])
        wire = wire[size:]
    return made


def tampered(change):
    """A scene with these records of PLAIN instead of those that were made of it."""
    def scene(ends):
        wire = change(records(ends.keys, PLAIN[:4 * RECORD]))
        ends.origin.sendall(b"".join(wire))
        ends.origin.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        for _ in range(7):
            ends.recvmsg()
    return scene


def flip(record):
    return record[:1000] + bytes([record[1000] ^ 1]) + record[1001:]


def wrong_key(ends):
    ends.send(PLAIN[:40_000])
    time.sleep(0.1)
    for _ in range(3):
        ends.recv()


def key_that_changes(ends):
    """In the middle of everything the peer goes on with another key."""
    first = records(ends.keys, PLAIN[:RECORD])
    other = ktls.Keys(version=struct.unpack_from("=H", ends.keys.info)[0])
    ends.origin.sendall(b"".join(first + records(other, PLAIN[RECORD:2 * RECORD])))
    time.sleep(0.2)
    for _ in range(4):
        ends.recv()


SCENES = {
    # name: (scene, the origin's end encrypts, with another key)
    "much at once": (together, True),
    "in small pieces": (pieces, True),
    "a reader that waits": (waits, True),
    "nothing to read": (nothing, True),
    "records of other types": (kinds, True),
    "one that has no place": (unwanted, True),
    "MSG_PEEK, MSG_WAITALL": (flags, True),
    "SO_RCVLOWAT": (low_water, True),
    "splice() in between": (spliced, True),
    "an alert and MSG_WAITALL": (waitall, True),
    "an alert, and the end": (ends_well, True),
    "a reset": (ends_badly, True),
    "another key": (wrong_key, True, True),
    "a key that changes": (key_that_changes, False),
    "as they were made": (tampered(lambda wire: wire), False),
    "a bit is wrong": (tampered(lambda wire: [wire[0], flip(wire[1]), *wire[2:]]), False),
    "one is missing": (tampered(lambda wire: [wire[0], *wire[2:]]), False),
    "two in the wrong order": (tampered(lambda wire: [wire[1], wire[0], *wire[2:]]), False),
    "one comes again": (tampered(lambda wire: [wire[0], wire[0], *wire[1:]]), False),
    "one is cut": (tampered(lambda wire: [wire[0], wire[1][:9000]]), False),
    "no TLS": (tampered(lambda wire: [wire[0], b"HTTP/1.1 200 OK\r\n\r\n" * 20]), False),
    "one of another version": (tampered(lambda wire: [wire[0], b"\x17\x03\x01\x00\x20" +
                                                      bytes(32), *wire[1:]]), False),
    "one that is too long": (tampered(lambda wire: [wire[0], b"\x17\x03\x03\xff\xff" +
                                                    bytes(70_000)]), False),
}


def play(port, version, scene, encrypts=True, wrong=False):
    ends = Ends(port, version, wrong)
    try:
        ends.proxy.settimeout(5)
        if encrypts:
            ends.encrypt()
        scene(ends)
    finally:
        ends.close()
    return ends


def arrives(memory):
    """What a client gets when the proxy sends it."""
    proxy, peer = connect(DOMAINS[1][0])
    peer.settimeout(10)
    got = bytearray()

    def read():
        while data := peer.recv(1 << 20):
            got.extend(data)

    with proxy, peer:
        reader = threading.Thread(target=read)
        reader.start()
        proxy.sendall(memory)
        proxy.shutdown(socket.SHUT_WR)
        reader.join()
    return bytes(got)


def observed(env, tap):
    anchored = 0
    for name, version in VERSIONS.items():
        for what, scene in SCENES.items():
            with tap.case(f"{name}: {what}") as case:
                native = play(UNATTACHED, version, *scene)
                before = libra.counters()
                attached = play(DOMAINS[1][1], version, *scene)
                after = libra.counters()
                case.equal(attached.saw, native.saw, "what the reader saw")
                got = arrives(attached.memory)
                case.check(got == native.memory, f"{len(got)} bytes are others than the "
                           f"{len(native.memory)} without Libra")
                case.check(native.memory == PLAIN[:len(native.memory)], "nor what was sent")
                case.equal(after["fail_stops"] - before["fail_stops"], 0, "fail-stops")
                kept = after["rx_anchored_bytes"] - before["rx_anchored_bytes"]
                anchored += kept
                if what == "much at once":
                    case.check(kept >= SHARE * len(PLAIN), f"anchored: {kept}")
    with tap.case("payload of all of them was anchored") as case:
        case.check(anchored > 5 * len(PLAIN), f"{anchored} bytes")


def shared(env, tap):
    """Threads that read one connection: nothing twice, nothing lost."""
    with tap.case("two threads read") as case:
        ends = Ends(DOMAINS[1][1], ktls.TLS_1_2)
        ends.encrypt()
        got = []

        def read():
            with contextlib.suppress(OSError):
                while data := ends.proxy.recv(50_000):
                    got.append(len(data))

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for _ in range(20):
            ends.send(PLAIN)
        ends.origin.shutdown(socket.SHUT_WR)
        for reader in readers:
            reader.join()
        ends.close()
        case.equal(sum(got), 20 * len(PLAIN), "bytes")


def framed(env, tap):
    """Where messages end depends on each byte: none of an alert, and all that splice() took."""
    size = 50_000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    message = head + PLAIN[:size]

    def conversation(name, middle, kept_of):
        with tap.case(f"HTTP/1: {name}") as case:
            ends = http_ends()
            before = libra.counters()["rx_anchored_bytes"]
            for _ in range(3):
                ends.proxy.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                ends.origin.recv(1000)
                at = len(ends.memory)
                ends.send(message[:30_000])
                ends.drain(20_000, 30_000)
                taken = middle(ends)
                ends.send(message[30_000 + taken:])
                ends.drain(count=at + len(message) - taken - len(ends.memory))
                case.check(ends.memory[at:].startswith(head), "a header is not as it was sent")
            kept = libra.counters()["rx_anchored_bytes"] - before
            case.check(kept >= SHARE * kept_of * size, f"anchored: {kept}")
            ends.close()

    def alert(ends):
        ends.send(CLOSE_NOTIFY, ALERT)
        time.sleep(0.05)
        ends.recvmsg()
        return 0

    def splice(ends):
        ends.send(message[30_000:30_100])
        time.sleep(0.05)
        return len(splice_away(ends.proxy, 100))

    conversation("an alert in each body", alert, 3)
    conversation("splice() in each body", splice, 0)


def begun_before(tap):
    """Bytes that nobody saw, in the middle of a message: what is behind them, and looks like a
    message, is none. If it were taken for one, the next header would be in its payload."""
    fake = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n".ljust(200, b" ")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(fake)}\r\n\r\n".encode()
    behind = b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + PLAIN[:50_000]

    def play_it(name, take):
        with tap.case(f"HTTP/1: {name}") as case:
            ends = http_ends()
            before = libra.counters()["rx_anchored_bytes"]
            ends.proxy.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 2)
            ends.origin.recv(1000)
            ends.send(head + fake + behind)
            time.sleep(0.1)
            case.equal(take(ends.proxy, len(head)), head, "what was read first")
            ends.drain(count=len(fake) + len(behind))
            case.check(ends.memory == fake + behind, "what was read is not what was sent")
            case.equal(libra.counters()["rx_anchored_bytes"] - before, 0, "anchored")
            ends.close()

    def switched(proxy, count):
        with libra.sysctl("tls", 0):
            return proxy.recv(count)

    play_it("the first read is a splice()", splice_away)
    play_it("net.libra.tls is switched on in a message", switched)


def attached_late(env, tap):
    """A policy that finds TLS at work does not know where in a message that is."""
    with tap.case("attached when TLS is under way") as case:
        ends = Ends(DOMAINS[1][0], ktls.TLS_1_2, client=True)
        ends.encrypt()
        ends.send(PLAIN[:50_000])
        ends.drain(count=50_000)
        before = libra.counters()
        with domains(env):
            ends.send(PLAIN[50_000:])
            ends.drain(count=len(PLAIN) - 50_000)
        after = libra.counters()
        case.check(ends.memory == PLAIN, "other bytes were read")
        case.check(after["fallback_adopted"] > before["fallback_adopted"], "it was not attached")
        case.equal(after["rx_tls_streams"] - before["rx_tls_streams"], 0, "streams that were read")
        ends.close()


ORIGIN_TLS = """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_protocols TLSv1.2;
        default_type application/octet-stream;
        root {root};
    }}
"""
UPSTREAM_TLS = """
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{listen}{ssl};
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_conf_command Options KTLS;
        location / {{
            proxy_pass https://origin;
            proxy_ssl_protocols TLSv1.2;
            proxy_ssl_conf_command Options KTLS;
            proxy_max_temp_file_size 0;
            {directives}
        }}
    }}
"""
SIZES = ("1k", "64k", "256k", "1m")


def upstream(env, tap):
    """An origin that speaks TLS, which the kernel decrypts; clients with TLS and without."""
    pem = certificate(env)
    with servers.start_nginx("tls-origin", env.path("tls-origin"), ORIGIN_TLS.format(
            port=tls_proxy.ORIGIN, pem=pem, root=env.content), tls_proxy.ORIGIN):
        for version in (None, *tls_proxy.VERSIONS):
            with servers.start_nginx("between", env.path("between"), UPSTREAM_TLS.format(
                    origin=tls_proxy.ORIGIN, listen=tls_proxy.LISTEN, pem=pem,
                    ssl=" ssl" if version else "",
                    directives=servers.NGINX_CONFIGS["b"]), tls_proxy.LISTEN), \
                    tls_proxy.policy(env):
                for size in SIZES:
                    with tap.case(f"origin with TLS, client with {version or 'none'}, {size}") \
                            as case:
                        counted = tls_proxy.Counted()
                        for _ in range(2):
                            with tls_proxy.client(version) as by:
                                for _ in range(3):
                                    tls_proxy.check_exact(case, env, by, f"/{size}")
                        payload = 6 * len(env.bodies[size])
                        kept = counted["rx_anchored_bytes"]
                        print(f"# {size}: {kept / payload:.3f} received, "
                              f"{counted['tx_redeemed_bytes'] / payload:.3f} sent of the payload "
                              f"in anchors", flush=True)
                        case.equal(counted["fail_stops"], 0, "fail-stops")
                        if len(env.bodies[size]) >= tls_proxy.LARGE:
                            case.check(kept >= SHARE * payload, f"anchored: {kept} of {payload}")


def clients(env, tap):
    """Requests that the kernel decrypts are known: HEAD is answered, and uploads are anchored."""
    data = env.bodies["256k"]
    with ScriptedOrigin("127.0.0.1", tls_proxy.ORIGIN), tls_proxy.nginx(env, "clients"), \
            tls_proxy.policy(env, options=("--anchor-requests",)):
        with tap.case("TLS 1.2: uploads") as case:
            counted = tls_proxy.Counted()
            with tls_proxy.client("TLSv1.2") as by:
                for _ in range(4):
                    by.send(f"POST /echo HTTP/1.1\nHost: test\nContent-Length: {len(data)}", data)
                    case.check(by.response().body == data, "other bytes came back")
            case.equal(counted["rx_tls_streams"], 1, "streams that were read")
            kept = counted["rx_anchored_bytes"]
            print(f"# uploads and their echoes: {kept / 8 / len(data):.3f} in anchors", flush=True)
            case.check(kept >= 4 * len(data) * (1 + SHARE), f"anchored: {kept}")
            case.equal(counted["fail_stops"], 0, "fail-stops")
    with env.origin(f"127.0.0.1:{tls_proxy.ORIGIN}"), tls_proxy.nginx(env, "head"), \
            tls_proxy.policy(env):
        with tap.case("TLS 1.2: HEAD between others") as case:
            counted = tls_proxy.Counted()
            with tls_proxy.client("TLSv1.2") as by:
                for _ in range(3):
                    case.equal(by.get("/256k", "HEAD").status, 200, "status")
                    tls_proxy.check_exact(case, env, by, "/256k")
                # The test itself is one that no policy names.
                case.equal([entry for entry in env.daemon.status()["passing"]
                            if entry["domain"] is not None], [], "passing")
            case.check(counted["tx_redeemed_bytes"] >= 3 * SHARE * len(data), "not anchored")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    ktls.load()
    with libra.sysctl("tls", 1), libra.sysctl("anchor_ttl_ms", 600_000):
        with libra.sysctl("strangers", 0), domains(env):
            observed(env, tap)
            shared(env, tap)
        with libra.sysctl("strangers", 0):
            attached_late(env, tap)
        with libra.sysctl("strangers", 0), domains(env, "http1"):
            framed(env, tap)
            begun_before(tap)
        env.bodies = tls_proxy.bodies(env, SIZES)
        with libra.Daemon(env.build, env.directory, ("http1",)) as env.daemon:
            upstream(env, tap)
            clients(env, tap)
    with tap.case("nothing is left of it") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("tls_receive", __doc__, body, sizes=SIZES, daemon=False)
