#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TCP_LIBRA: an application attaches its own connections, on a patched kernel."""

import errno
import os
import socket
import struct
import threading

import vmtest
from harness import libra, netns

# include/uapi/linux/libra.h
TCP_LIBRA = 210
MODE_TOKEN = 2
F_ACTIVE = 2
SIZE = 256 << 10


def attach(sock, parser=b"http1", mode=MODE_TOKEN, flags=0):
    option = struct.pack("=16sIIII", parser, 9, mode, flags, 0)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_LIBRA, option)


def refusal(call, *arguments, **named):
    """The name of the errno of a call that fails."""
    try:
        call(*arguments, **named)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def connection():
    """The connecting end and the accepting end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def without_capability(near):
    """In a child, because a user id cannot be taken back."""
    child = os.fork()
    if not child:
        os.setuid(65534)
        os._exit(refusal(attach, near) != "EPERM")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def as_root_of_its_own():
    """In a child: a user namespace, of which anybody makes one, and a network namespace of it."""
    child = os.fork()
    if not child:
        try:
            netns.unshare(netns.CLONE_NEWUSER | netns.CLONE_NEWNET)
            with socket.socket() as own:
                os._exit(refusal(attach, own) != "EPERM")
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def errors(tap):
    near, far = connection()
    with near, far:
        with tap.case("what is refused, and how") as case:
            case.equal(refusal(attach, near, parser=b"nonsense"), "ENOENT", "an unknown parser")
            case.equal(refusal(attach, near, mode=4), "EINVAL", "an unknown mode")
            case.equal(refusal(attach, near, flags=1 << 31), "EINVAL", "an unknown flag")
            case.equal(refusal(near.setsockopt, socket.IPPROTO_TCP, TCP_LIBRA, b"x" * 31),
                       "EINVAL", "a short argument")
            with socket.socket() as unconnected:
                case.equal(refusal(attach, unconnected), "ENOTCONN", "not connected")
            case.check(without_capability(near), "a user without CAP_NET_ADMIN was not refused")
            case.check(as_root_of_its_own(), "the root of a user namespace was not refused")
            case.equal(libra.gauges_left(), {}, "gauges")
            attach(near, flags=F_ACTIVE)
            case.equal(refusal(attach, near), "EEXIST", "twice")


def forward(source, sink, count):
    """What the worst of proxies does: one buffer, unread. Returns what it saw."""
    seen = b""
    while count:
        data = source.recv(65536)
        if not data:
            break
        seen += data
        sink.sendall(data)
        count -= len(data)
    return seen


def receive(source, count):
    return forward(source, _Nowhere, count)


class _Nowhere:
    @staticmethod
    def sendall(data):
        pass


def proxied(tap):
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    body = os.urandom(SIZE)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + body
    client, down = connection()
    up, origin = connection()
    with tap.case("a proxy that opts in forwards what it never saw") as case, \
            client, down, up, origin:
        attach(down)
        attach(up, flags=F_ACTIVE)
        before = libra.counters()
        client.sendall(request)
        forward(down, up, len(request))
        case.equal(receive(origin, len(request)), request, "the request")

        sender = threading.Thread(target=origin.sendall, args=(answer,))
        got = []
        receiver = threading.Thread(target=lambda: got.append(receive(client, len(answer))))
        sender.start()
        receiver.start()
        seen = forward(up, down, len(answer))
        sender.join()
        receiver.join()

        case.check(got[0] == answer, "the client got something else")
        case.check(seen != answer, "the proxy saw the whole body")
        after = libra.counters()
        case.check(after["rx_anchored_bytes"] - before["rx_anchored_bytes"] > 0.5 * SIZE,
                   "hardly anything was anchored")
        case.equal(after["fail_stops"], before["fail_stops"], "fail-stops")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    if os.environ.get("LIBRA_KERNEL") == "stock":
        near, far = connection()
        with tap.case("a stock kernel does not know the option") as case, near, far:
            case.equal(refusal(attach, near), "ENOPROTOOPT", "setsockopt")
        return
    errors(tap)
    proxied(tap)


if __name__ == "__main__":
    vmtest.main("opt-in", __doc__, body, one_session=True)
