#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Kernel TLS in the device, on libra_tlsdev: what it promises, in whatever network.

All is Python sockets with kernel TLS over the module's devices (harness/tlsdev.py draws the
network). That ciphertext is right is proved by the other end, which is the kernel's software
where the case says so.
"""

import contextlib
import errno
import os
import random
import socket
import struct
import threading
import time

import vmtest
from harness import ktls, tlsdev

# Every 64 bytes of plaintext begin with it, so every packet of plaintext shows it.
MARK = b"plaintext-of-us:"
MEGABYTE = 1 << 20
ETH_P_ALL = 3
BOTH = ("ap", "bp")  # where a network's faults are, for both directions
SLOW = "rate 1mbit limit 60"  # so that there is a middle

FAULTS = (
    # name, netem, devices, mtu; loss on hosts is of few packets, which are segmented later
    ("loss", "loss 2%", BOTH, 1500),
    ("reordering", "delay 2ms reorder 80% gap 5", BOTH, 1500),
    ("duplication", "duplicate 20%", BOTH, 1500),
    ("loss, reordering and duplication", "delay 1ms 1ms loss 1% duplicate 5%", BOTH, 1500),
    ("corruption", "corrupt 1%", BOTH, 1500),
    ("small packets", "loss 0%", BOTH, 600),
    ("small packets and loss", "loss 2%", BOTH, 600),
    ("large packets and loss", "loss 5%", BOTH, 9000),
    ("loss on the hosts", "loss 8%", ("a", "b"), 1500),
)


def content(size):
    """Bytes of which no two lines are alike."""
    random_part = os.urandom(size // 64 * 48)
    return b"".join(MARK + random_part[i:i + 48] for i in range(0, len(random_part), 48))


class Pair:
    """A connection with kernel TLS in both directions. What uses it ends with it."""

    def __init__(self, net, cipher=ktls.AES_GCM_128, version=ktls.TLS_1_2,
                 family=socket.AF_INET):
        self.net = net
        self.left, self.right = net.connect(family)
        there, back = ktls.Keys(cipher, version), ktls.Keys(cipher, version)
        ktls.enable(self.left, there, back)
        ktls.enable(self.right, back, there)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in (self.left, self.right):
            if exc[0]:  # threads that it has keep the connection: not for long
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def pieces(data):
    """Of all sizes, up to more than a record has."""
    chance, at = random.Random(len(data)), 0
    while at < len(data):
        size = chance.choice((1, 100, 1400, 4096, ktls.RECORD, 40_000, 100_000))
        yield data[at:at + size]
        at += size


def send(sock, data):
    for piece in pieces(data):
        sock.sendall(piece)


def receive(sock, data, what):
    """Reads as many bytes as data has, which it must be."""
    got = 0
    while got < len(data):
        part = sock.recv(min(200_000, len(data) - got))
        if not part:
            raise AssertionError(f"{what}: ended after {got} of {len(data)} bytes")
        if part != data[got:got + len(part)]:
            raise AssertionError(f"{what}: wrong within {len(part)} bytes from {got} on")
        got += len(part)


class Task(threading.Thread):
    """A thread whose exception is kept for who waits for it."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.function, self.arguments, self.error = function, arguments, None
        self.start()

    def run(self):
        try:
            self.function(*self.arguments)
        except BaseException as error:  # whatever it is, finish() raises it
            self.error = error


def finish(tasks, timeout=120):
    """Waits until all have ended, or one has failed, and then raises what that one did."""
    end = time.monotonic() + timeout
    while running := [task for task in tasks if task.is_alive()]:
        if any(task.error for task in tasks):
            break
        if time.monotonic() > end:
            raise TimeoutError(f"{running[0].function.__name__} takes too long")
        running[0].join(0.05)
    for task in tasks:
        if task.error:
            raise task.error


def start(pair, data, sender=send):
    """Both directions at once."""
    return [Task(sender, pair.left, data), Task(receive, pair.right, data, "left to right"),
            Task(sender, pair.right, data), Task(receive, pair.left, data, "right to left")]


def exchange(pair, data, sender=send):
    finish(start(pair, data, sender))


class Moved:
    """What counters of both ends moved in its body."""

    def __init__(self, net):
        self.net = net

    def _read(self):
        out = {}
        for name, host in (("a", self.net.left), ("b", self.net.right)):
            out.update({(name, key): value for key, value in self.net.counters(name).items()})
            with host:
                out.update({(name, key): value for key, value in ktls.counters().items()})
        return out

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *exc):
        now = self._read()
        self.all = {key: now[key] - before for key, before in self._before.items()}
        print("# " + ", ".join(f"{key} {value}+{self['b', key]}"
                               for (name, key), value in self.all.items()
                               if name == "a" and self.both(key)), flush=True)

    def __getitem__(self, key):
        return self.all[key]

    def both(self, key):
        return self.all["a", key] + self.all["b", key]


def check_clean(case, moved, size):
    """Nothing was wrong, and all that was sent was encrypted in the device."""
    for key in ("TlsDecryptError", "tx_tls_err", "tx_tls_drop_no_sync_data", "rx_tls_err",
                "tx_tls_drop_bypass_req", "tx_tls_drop_down"):
        case.equal(moved.both(key), 0, key)
    for end in "ab":
        case.check(moved[end, "tx_tls_encrypted_bytes"] > size, f"{end} encrypted too little")
        for key in ("TlsTxDevice", "TlsRxDevice", "tx_tls_ctx", "tx_tls_del", "rx_tls_ctx",
                    "rx_tls_del"):
            case.equal(moved[end, key], 1, f"{end}: {key}")


def plain_and_device(net, tap, data):
    """Each side in the device or in software, each cipher."""
    for cipher, cipher_name in ((ktls.AES_GCM_128, "AES-GCM-128"),
                                (ktls.AES_GCM_256, "AES-GCM-256")):
        with tap.case(f"{cipher_name}, device to device") as case:
            with Moved(net) as moved, Pair(net, cipher) as pair:
                exchange(pair, data)
            check_clean(case, moved, len(data))
            case.check(moved.both("rx_tls_decrypted_bytes") > len(data),
                       "too little was decrypted in the device")
        for name, off, there, gone in (
                ("device to software", {"rx": "off"}, "TlsTxDevice", "rx_tls_ctx"),
                ("software to device", {"tx": "off"}, "TlsRxDevice", "tx_tls_ctx")):
            with tap.case(f"{cipher_name}, {name}") as case:
                with net.offload(a=off, b=off), Moved(net) as moved, Pair(net, cipher) as pair:
                    exchange(pair, data)
                case.equal(moved.both(there), 2, there)
                case.equal(moved.both(gone), 0, gone)
                case.equal(moved.both("TlsDecryptError"), 0, "TlsDecryptError")
    with tap.case("IPv6") as case:
        with Moved(net) as moved, Pair(net, family=socket.AF_INET6) as pair:
            exchange(pair, data)
        check_clean(case, moved, len(data))
        case.check(moved.both("rx_tls_decrypted_bytes") > len(data),
                   "too little was decrypted in the device")
    with tap.case("TLS 1.3 is the kernel's software's") as case:
        with Moved(net) as moved, Pair(net, version=ktls.TLS_1_3) as pair:
            exchange(pair, data[:MEGABYTE // 4])
        case.equal((moved.both("TlsTxSw"), moved.both("TlsTxDevice")), (2, 0), "software, device")


class Capture:
    """How many bytes go over a device of the router, and how many in packets with plaintext."""

    def __init__(self, net, device):
        with net.ends[device]:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 * MEGABYTE)  # SO_RCVBUFFORCE
        self.sock.bind((device, ETH_P_ALL))
        self.sock.setblocking(False)

    def result(self):
        seen = plain = 0
        with self.sock, contextlib.suppress(BlockingIOError):
            while True:
                packet = self.sock.recv(1 << 17)
                seen += len(packet)
                plain += len(packet) if MARK in packet else 0
        return seen, plain


def on_the_wire(net, tap, data):
    data = data[:MEGABYTE // 2]
    for name, netem in (("no plaintext is on the wire", "loss 0%"),
                        ("nor with loss on the hosts and in the network", "loss 3%")):
        with tap.case(name) as case:
            capture = Capture(net, "ap")
            with net.fault(netem, "a", "b", *BOTH), Pair(net) as pair:
                exchange(pair, data)
            seen, plain = capture.result()
            print(f"# {seen} bytes were captured", flush=True)
            case.check(seen > 2 * len(data), f"only {seen} bytes were seen")
            case.equal(plain, 0, "bytes in packets of plaintext")
    with tap.case("where there is, the capture shows it") as case:
        capture = Capture(net, "ap")
        left, right = net.connect()
        with left, right:
            task = Task(send, left, data)
            receive(right, data, "without TLS")
            finish([task])
        case.check(capture.result()[1] > len(data), "plaintext was not seen")


def faults(net, tap, data):
    for name, netem, devices, mtu in FAULTS:
        with tap.case(name) as case:
            with net.mtu(mtu), Moved(net) as moved, Pair(net) as pair, \
                    net.fault(netem, *devices):
                exchange(pair, data)
            check_clean(case, moved, len(data))
            if "%" not in netem.replace("loss 0%", ""):
                continue
            case.check(moved.both("rx_tls_ooo") > 0, "nothing came out of order")
            if "loss" in name or "corruption" in name:
                case.check(moved.both("tx_tls_ooo") > 0, "nothing was sent out of order")
                case.check(moved.both("tx_tls_resync_bytes") > 0, "no record was read again")
            if "reordering" not in name:
                case.check(moved.both("rx_tls_decrypted_packets") > 10, "nothing was decrypted")


def resynchronisation(net, tap, data):
    with tap.case("a lost header: the stack says where to go on") as case:
        with Moved(net) as moved, Pair(net) as pair, net.fault("loss 10%", "ap", "bp"):
            exchange(pair, data)
        check_clean(case, moved, len(data))
        for key in ("rx_tls_lost", "rx_tls_resync_res_ok", "rx_tls_skip_record",
                    "TlsRxDeviceResync"):
            case.check(moved.both(key) > 0, f"{key} did not move")


@contextlib.contextmanager
def file_of(env, data):
    path = env.path("sent")
    with open(path, "w+b") as file:
        file.write(data)
        file.flush()
        yield file


def sendfile(net, tap, data, env):
    """From the page cache: copied, or its own pages."""
    with file_of(env, data) as file:
        def send_file(sock, _):
            at = 0
            while at < len(data):
                at += os.sendfile(sock.fileno(), file.fileno(), at, len(data) - at)

        for name, zerocopy, netem in (("copied", 0, None), ("zero copies", 1, None),
                                      ("zero copies, and loss", 1, "loss 2%")):
            with tap.case(f"sendfile, {name}") as case:
                with Moved(net) as moved, Pair(net) as pair, \
                        net.fault(netem or "loss 0%", *BOTH):
                    for sock in (pair.left, pair.right):
                        sock.setsockopt(ktls.SOL_TLS, ktls.TX_ZEROCOPY_RO, zerocopy)
                    exchange(pair, data, send_file)
                check_clean(case, moved, len(data))
            with tap.case(f"sendfile, {name}: the file is what it was") as case:
                file.seek(0)
                case.check(file.read() == data, "the page cache was encrypted")


def changed_pages(net, tap, env):
    """One record, of which the first ten packets arrive, and are not acknowledged; then its
    pages change. Ten are the first congestion window."""
    data = content(ktls.RECORD)
    for name, zerocopy in (("copied: nobody sees it", 0), ("zero copies: the tag is wrong", 1)):
        with tap.case(f"a file that changes before a retransmission, {name}") as case:
            with file_of(env, data) as file, Moved(net) as moved, Pair(net) as pair:
                pair.left.setsockopt(ktls.SOL_TLS, ktls.TX_ZEROCOPY_RO, zerocopy)
                with net.fault("loss 100%", "ap"):
                    os.sendfile(pair.left.fileno(), file.fileno(), 0, len(data))
                    time.sleep(0.1)
                    os.pwrite(file.fileno(), content(ktls.RECORD), 0)
                    time.sleep(0.1)
                try:
                    receive(pair.right, data, "left to right")
                    failed = None
                except OSError as error:
                    failed = error.errno
            case.equal(failed, errno.EBADMSG if zerocopy else None, "errno")
            case.equal(moved["b", "TlsDecryptError"], zerocopy, "TlsDecryptError")


def wrong_key(net, tap):
    with tap.case("a wrong tag: passed on undecrypted, and the software says so") as case:
        left, right = net.connect()
        with left, right, Moved(net) as moved:
            ktls.enable(left, ktls.Keys())
            ktls.enable(right, receive=ktls.Keys())
            left.sendall(bytes(1000))
            try:
                right.recv(1000)
                failed = None
            except OSError as error:
                failed = error.errno
        case.equal(failed, errno.EBADMSG, "errno")
        case.equal(moved["b", "rx_tls_err"], 1, "rx_tls_err")
        case.equal(moved["b", "rx_tls_decrypted_packets"], 0, "rx_tls_decrypted_packets")


def before_offload(net, tap, data):
    """What a connection carried in the clear, or encrypted elsewhere, is lost, and sent again
    when it has TLS."""
    with tap.case("data from before the offload is sent as it is") as case:
        left, right = net.connect()
        plain = data[:5000]
        with left, right, Moved(net) as moved:
            with net.fault("loss 100%", "bp"):
                left.sendall(plain)
                keys = ktls.Keys()
                ktls.enable(left, keys)
                left.sendall(data[:100_000])
                time.sleep(0.3)
            receive(right, plain, "plain")
            ktls.enable(right, receive=keys)
            receive(right, data[:100_000], "encrypted")
        case.check(moved["a", "tx_tls_skip_no_sync_data"] > 0, "tx_tls_skip_no_sync_data")
        case.equal(moved["a", "tx_tls_drop_no_sync_data"], 0, "tx_tls_drop_no_sync_data")


def until_sent(net, name, size):
    """Waits until a device has encrypted that much more."""
    begin = net.counters(name)["tx_tls_encrypted_bytes"]
    end = time.monotonic() + 30
    while net.counters(name)["tx_tls_encrypted_bytes"] < begin + size:
        if time.monotonic() > end:
            raise TimeoutError("nothing is sent")


def life(net, tap, data):
    with tap.case("switched off in the middle: old connections keep it, new ones have none") as case:
        with Moved(net) as moved, Pair(net) as pair, net.fault(SLOW, *BOTH):
            tasks = start(pair, data)
            until_sent(net, "a", len(data) // 8)
            off = {"tx": "off", "rx": "off"}
            with net.offload(a=off, b=off):
                with Pair(net) as other:
                    case.check(any(task.is_alive() for task in tasks), "it was over before")
                    exchange(other, data[:50_000])
                finish(tasks)
        check_clean(case, moved, len(data))
        case.equal((moved.both("TlsTxSw"), moved.both("TlsRxSw")), (2, 2), "in software")
    with tap.case("no checksums in the device: they stay right") as case:
        with Moved(net) as moved, Pair(net) as pair:
            for name in "ab":
                net.ends[name].run("ethtool", "-K", name, "tx", "off", "rx", "off")
            exchange(pair, data)
            for name in "ab":
                net.ends[name].run("ethtool", "-K", name, "tx", "on", "rx", "on")
                net.features(name, tx="on", rx="on")
        check_clean(case, moved, len(data))
        case.equal(moved.both("rx_tls_csum"), 0, "rx_tls_csum")
    with tap.case("closed in the middle") as case:
        with Moved(net) as moved:
            for _ in range(20):
                with Pair(net) as pair:
                    for sock in (pair.left, pair.right):
                        sock.setblocking(False)
                        with contextlib.suppress(BlockingIOError):
                            for _ in range(50):
                                sock.send(data[:ktls.RECORD])
            end = time.monotonic() + 20
            while any(net.counters(name)[f"{way}_tls_ctx"] != net.counters(name)[f"{way}_tls_del"]
                      for name in "ab" for way in ("tx", "rx")) and time.monotonic() < end:
                time.sleep(0.1)
        for key in ("tx_tls_ctx", "tx_tls_del", "rx_tls_ctx", "rx_tls_del"):
            case.equal(moved.both(key), 40, key)
    with tap.case("the device goes down and up again in the middle: on in software") as case:
        with Moved(net) as moved, Pair(net) as pair, net.fault(SLOW, *BOTH):
            tasks = start(pair, data)
            until_sent(net, "a", len(data) // 8)
            net.left.run("ip", "link", "set", "dev", "a", "down")
            net.left.run("ip", "addr", "replace", "fd01::1/64", "dev", "a", "nodad")
            net.left.run("ip", "link", "set", "dev", "a", "up")
            net.route("a")
            finish(tasks)
        case.equal(moved.both("TlsDecryptError"), 0, "TlsDecryptError")
        case.equal((moved["a", "tx_tls_del"], moved["a", "rx_tls_del"]), (1, 1), "deleted from a")
        case.check(moved["a", "tx_tls_encrypted_bytes"] < len(data), "all of it went first")


@contextlib.contextmanager
def under_traffic(env, case, data):
    """In its body the devices go away under a connection, which has no way to end then."""
    tlsdev.load(env.build, env.args.libra_ko)
    net = tlsdev.Network()
    with Pair(net) as pair:
        net.impair(SLOW, *BOTH)
        tasks = start(pair, data)
        until_sent(net, "a", len(data) // 8)
        yield net
        for sock in (pair.left, pair.right):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for task in tasks:
            task.join(20)
            case.check(not task.is_alive(), "a thread hangs")


def unload(env, tap, data):
    with tap.case("rmmod under traffic") as case:
        with under_traffic(env, case, data) as net:
            tlsdev.unload()
            case.check(not tlsdev.loaded(), "it is still there")
        net.close()
    with tap.case("a namespace that goes under traffic takes its devices and their peers") as case:
        with under_traffic(env, case, data) as net:
            net.router.close()  # and nobody else holds it
            end = time.monotonic() + 20
            while "a" in net.links(net.left) and time.monotonic() < end:
                time.sleep(0.1)
            # A kernel may have more than lo of its own in each (sit0).
            left = {"a", "b"} & {*net.links(net.left), *net.links(net.right)}
            case.equal(left, set(), "devices that are left")
        net.left.close()
        net.right.close()
        tlsdev.unload()


def body(env, tap):
    if reason := tlsdev.why_not():
        tap.skip("all", reason)
        return
    data = content(MEGABYTE if env.args.quick else 4 * MEGABYTE)
    with tlsdev.network(env) as net:
        plain_and_device(net, tap, data)
        on_the_wire(net, tap, data)
        wrong_key(net, tap)
        before_offload(net, tap, data)
        faults(net, tap, data)
        resynchronisation(net, tap, data)
        sendfile(net, tap, data, env)
        changed_pages(net, tap, env)
        life(net, tap, data[:MEGABYTE])
    unload(env, tap, data[:MEGABYTE])


if __name__ == "__main__":
    vmtest.main("tls_device", __doc__, body, daemon=False)
