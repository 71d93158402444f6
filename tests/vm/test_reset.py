#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""An origin that resets mid-body: clients see an error or a short body, never a wrong byte."""

import concurrent.futures
import socket

import vmtest
from harness import modes
from harness.scripted_origin import ScriptedOrigin, body as origin_body

SIZE = 2 << 20
CLIENTS = 24


def download(listen):
    """All the body bytes that arrive before the end, however it ends."""
    host, port = listen.rsplit(":", 1)
    data = bytearray()
    with socket.create_connection((host, int(port)), 20) as sock:
        sock.sendall(f"GET /reset/{SIZE} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        try:
            while part := sock.recv(65536):
                data += part
        except ConnectionResetError:
            pass
        except TimeoutError as error:
            raise RuntimeError(f"{sock.getsockname()} waits, after {len(data)} bytes") from error
    head, _, received = bytes(data).partition(b"\r\n\r\n")
    return head, received


def run(env, tap, mode):
    listen, port = "127.0.0.1:8101", 8001
    for program in ("nginx", "haproxy"):
        with tap.case(f"{mode.name}, {program}, the origin resets") as case, mode.ready(env):
            before = env.counters()
            with ScriptedOrigin("127.0.0.1", port), \
                    mode.proxy(env, program, "b", listen, f"127.0.0.1:{port}"):
                with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                    answers = list(pool.map(lambda _: download(listen), range(CLIENTS)))
            begun = 0
            for head, received in answers:
                if head.startswith(b"HTTP/1.1 200"):
                    begun += 1
                    case.check(len(received) < SIZE, "a body came to its end")
                    case.check(received == origin_body(len(received)), "wrong bytes arrived")
            case.check(begun > 0, "no transfer had begun at the reset: it proves nothing")
            mode.check_moved(env, case, before)
            mode.check_idle(env, case)


def body(env, tap):
    run(env, tap, modes.TOKEN)


if __name__ == "__main__":
    vmtest.main("reset", __doc__, body)
