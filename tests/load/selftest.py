#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does libra-load notice every lie?  An origin on loopback tells them."""

import gzip
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

BODY = os.urandom(50_000)


def head(*fields, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


def with_length(body, claimed=None):
    return head(f"Content-Length: {len(body) if claimed is None else claimed}") + body


def chunked(body, size=777):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    framed = b"".join(f"{len(part):x};x=y\r\n".encode() + part + b"\r\n" for part in parts)
    return head("Transfer-Encoding: chunked") + framed + b"0\r\nTrailer: t\r\n\r\n"


def zipped(body):
    packed = gzip.compress(body)
    return head("Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed


def flipped(at):
    changed = bytearray(BODY)
    changed[at] ^= 1
    return bytes(changed)


# name: (what the origin sends, what it does then)
ANSWERS = {
    "exact": (with_length(BODY), "keep"),
    "continue": (head(status="100 Continue") + with_length(BODY), "keep"),
    "chunked": (chunked(BODY), "keep"),
    "until-close": (head() + BODY, "close"),
    "close": (head("Connection: close", f"Content-Length: {len(BODY)}") + BODY, "close"),
    "head": (head(f"Content-Length: {len(BODY)}"), "keep"),
    "head-wrong": (head("Content-Length: 1"), "keep"),
    "first": (with_length(flipped(0)), "keep"),
    "last": (with_length(flipped(len(BODY) - 1)), "keep"),
    "chunked-flipped": (chunked(flipped(1234)), "keep"),
    "shorter": (with_length(BODY[:-1]), "keep"),
    "longer": (with_length(BODY + b"x"), "keep"),
    "until-close-short": (head() + BODY[:-1], "close"),
    "truncated": (with_length(BODY[:100], len(BODY)), "close"),
    "wrong-then-reset": (with_length(flipped(10)[:20000], len(BODY)), "reset"),
    "reset": (with_length(BODY[:100], len(BODY)), "reset"),
    "silent": (b"", "hang"),
    "status": (head("Content-Length: 1", status="502 Bad Gateway") + b"x", "keep"),
    "not-http": (b"SSH-2.0-x\r\n\r\n", "close"),
    "gzip": (zipped(BODY), "keep"),
    "gzip-flipped": (zipped(flipped(4321)), "keep"),
    "gzip-garbage": (head("Content-Encoding: gzip", f"Content-Length: {len(BODY)}") + BODY,
                     "keep"),
    "gzip-cut": (zipped(BODY)[:-9], "close"),
    # All of the body, and then the response ends inside of the trailer.
    "gzip-end": (head("Content-Encoding: gzip", "Transfer-Encoding: chunked") +
                 b"%x\r\n%s\r\n0\r\n\r\n" % (len(gzip.compress(BODY)) - 4,
                                             gzip.compress(BODY)[:-4]), "keep"),
    "behind-the-end": (with_length(BODY) + b"junk", "keep"),
}


def serve(connection):
    with connection:
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                more = connection.recv(4096)
                if not more:
                    return
                pending += more
            request, pending = pending.split(b"\r\n\r\n", 1)
            answer, then = ANSWERS[request.split(b" ")[1].decode().lstrip("/")]
            connection.sendall(answer)
            if then == "reset":
                time.sleep(0.05)  # a reset overtakes the data otherwise
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
            if then in ("reset", "close"):
                return


def serve_quietly(connection):
    try:
        serve(connection)
    except OSError:
        pass  # the client vanished, as told


def listen(family, address):
    listener = socket.create_server((address, 0), family=family, backlog=64)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_quietly, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def main():
    binary = sys.argv[1]
    v4 = f"127.0.0.1:{listen(socket.AF_INET, '127.0.0.1')}"
    failures = []

    with tempfile.NamedTemporaryFile() as reference:
        reference.write(BODY)
        reference.flush()

        def check(name, path, options=(), host=v4, **expected):
            command = [binary, f"http://{host}/{path}", "--reference", reference.name,
                       "--timeout", "1", *options]
            run = subprocess.run(command, stdout=subprocess.PIPE, timeout=30, check=False)
            seen = json.loads(run.stdout)
            expected = {"mismatches": 0, "errors": 0, "aborted": 0, **expected}
            expected["status"] = int(bool(expected["mismatches"] or expected["errors"]))
            seen["status"] = run.returncode
            wrong = {key: seen.get(key) for key in expected if seen.get(key) != expected[key]}
            if wrong:
                failures.append(f"{name}: {wrong}, expected {expected}; {seen}")

        many = ["-n", "40", "-c", "4"]
        for path in ("exact", "continue", "chunked", "until-close", "close"):
            check(path, path, many, requests=40, exact=40, bytes=40 * len(BODY))
        check("one-shot", "exact", [*many, "--close"], requests=40, exact=40)
        check("head", "head", [*many, "--method", "HEAD"], requests=40, exact=40, bytes=0)
        check("head, wrong length", "head-wrong", ["--method", "HEAD"], mismatches=1)
        for path in ("first", "last", "chunked-flipped", "shorter", "longer",
                     "until-close-short"):
            check(path, path, ["-n", "3"], requests=3, mismatches=3, exact=0)
        check("wrong bytes outweigh a reset", "wrong-then-reset", mismatches=1)
        for path, kind in (("truncated", "truncated"), ("reset", "reset"),
                           ("silent", "timeout"), ("status", "status"),
                           ("not-http", "malformed"), ("behind-the-end", "malformed")):
            check(path, path, errors=1, error_kinds={kind: 1})
        check("gzip", "gzip", [*many, "--gzip"], requests=40, exact=40, bytes=40 * len(BODY))
        check("gzip, wrong inside", "gzip-flipped", ["--gzip"], mismatches=1)
        for path, kind in (("gzip-garbage", "malformed"), ("gzip-end", "malformed"),
                           ("gzip-cut", "truncated"), ("exact", "malformed")):
            check(path, path, ["--gzip"], errors=1, error_kinds={kind: 1})
        check("gzip, not asked for", "gzip", errors=1, error_kinds={"malformed": 1})
        check("expected status", "status", ["--status", "502"], mismatches=1)
        check("nobody listens", "exact", ["-n", "2"], host="127.0.0.1:1", errors=2,
              error_kinds={"connect": 2})
        for how in ([], ["--abort-reset"]):
            check("vanish", "exact", [*many, "--abort-after", "1000", "--abort-fraction", "0.5",
                                      *how], requests=40, exact=20, aborted=20)
        check("slow", "exact", ["--read-rate", "100000", "--rcvbuf", "4096"], exact=1)
        check("slow, out of time", "exact", ["--read-rate", "10000"], errors=1,
              error_kinds={"timeout": 1})
        check("duration", "exact", ["-d", "0.3", "-c", "8"])
        try:
            check("IPv6", "exact", many, host=f"[::1]:{listen(socket.AF_INET6, '::1')}", exact=40)
        except OSError as error:
            print(f"IPv6 left out: {error}")

    for arguments in (["ftp://x/"], ["http://127.0.0.1:1/", "--reference", "/nonexistent"],
                      ["http://[::1/", "--reference", "/dev/null"], []):
        run = subprocess.run([binary, *arguments], capture_output=True, timeout=10, check=False)
        if run.returncode != 2 or not run.stderr:
            failures.append(f"{arguments}: status {run.returncode}, {run.stderr}")

    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
