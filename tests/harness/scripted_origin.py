# SPDX-License-Identifier: GPL-2.0-only
"""An origin whose answers have every shape of HTTP/1; the path says which.

/SHAPE/SIZE/KIND: the kind says what the body is, random bytes if there is none.
"""

import gzip
import os
import re
import socket
import struct
import threading
import time

BLOB = os.urandom(4 << 20)
CHUNKS = (1, 4096, 777, 65536, 16384, 31)
# What filters for HTML look for, between words that do not compress to nothing.
PAGE = "".join(f"<p>{word} $marker$ <!--#echo var='none' default='SSI' --></p>\n"
               for word in re.findall("." * 64, os.urandom(128 << 10).hex())).encode()
KINDS = {
    "html": ("Content-Type: text/html",),
    "gzip": ("Content-Type: text/html", "Content-Encoding: gzip"),
    "fresh": ("Content-Type: text/plain", "Cache-Control: max-age=600"),
}
# Where "flaky" answers come from this network, they fail.
FLAKY = "127.0.1."


def body(size, kind=""):
    if kind == "gzip":
        return gzip.compress(PAGE[:size], mtime=0)
    return PAGE[:size] if kind == "html" else BLOB[:size]


def _head(status, *fields):
    return "\r\n".join([f"HTTP/1.1 {status}", "Server: script", *fields, "", ""]).encode()


def chunk(data):
    """Chunked coding with chunks of very different sizes."""
    out, at, turn = [], 0, 0
    while at < len(data):
        part = data[at:at + CHUNKS[turn % len(CHUNKS)]]
        out += [f"{len(part):x}\r\n".encode(), part, b"\r\n"]
        at += len(part)
        turn += 1
    return b"".join([*out, b"0\r\n\r\n"])


class _Conversation:
    """One connection from a proxy."""

    def __init__(self, sock):
        self.sock = sock
        self.stream = sock.makefile("rb")

    def run(self):
        while line := self.stream.readline():
            method, target, _ = line.decode().split()
            fields = {}
            while (line := self.stream.readline().strip()):
                name, value = line.decode().split(":", 1)
                fields[name.lower()] = value.strip()
            if not self.answer(method, target.strip("/").split("/"), fields):
                return

    def read_upload(self, fields):
        if fields.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fields.get("transfer-encoding", "").lower() != "chunked":
            return self.stream.read(int(fields.get("content-length", 0)))
        data = b""
        while size := int(self.stream.readline().split(b";")[0], 16):
            data += self.stream.read(size)
            self.stream.readline()
        while self.stream.readline().strip():
            pass
        return data

    def answer(self, method, path, fields):
        """Answers one request; whether there may be another one."""
        shape = path[0]
        data = body(int(path[1]), *path[2:]) if len(path) > 1 else b""
        kind = KINDS.get(path[2], ()) if len(path) > 2 else ()
        upload = self.read_upload(fields)
        length = f"Content-Length: {len(data)}"
        if shape == "flaky" and self.sock.getsockname()[0].startswith(FLAKY):
            return False
        if shape in ("length", "flaky"):
            data = upload or data
            self.sock.sendall(_head("200 OK", f"Content-Length: {len(data)}", *kind) +
                              (data if method != "HEAD" else b""))
        elif shape == "range":
            self.part(fields, data)
        elif shape == "error":
            self.sock.sendall(_head("503 Service Unavailable", length) + data)
        elif shape == "chunked":
            self.sock.sendall(_head("200 OK", "Transfer-Encoding: chunked", *kind) + chunk(data))
        elif shape == "until-close":
            self.sock.sendall(_head("200 OK", "Connection: close") + data)
            return False
        elif shape == "dribble":
            self.dribble(_head("200 OK", length) + data)
        elif shape == "no-content":
            self.sock.sendall(_head("204 No Content"))
        elif shape == "not-modified":  # announces the length of what it does not send
            self.sock.sendall(_head("304 Not Modified", length, 'ETag: "x"'))
        elif shape == "echo":
            self.sock.sendall(_head("200 OK", f"Content-Length: {len(upload)}") + upload)
        elif shape == "upgrade":
            self.upgrade()
            return False
        elif shape == "reset":
            self.reset(_head("200 OK", length) + data[:len(data) // 2])
            return False
        else:
            self.sock.sendall(_head("404 Not Found", "Content-Length: 0"))
        return True

    def part(self, fields, data):
        """The range that was asked for, or all of it."""
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", fields.get("range", "")):
            first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
            self.sock.sendall(_head("206 Partial Content", f"Content-Length: {last + 1 - first}",
                                    f"Content-Range: bytes {first}-{last}/{len(data)}",
                                    "Accept-Ranges: bytes") + data[first:last + 1])
        else:
            self.sock.sendall(_head("200 OK", f"Content-Length: {len(data)}",
                                    "Accept-Ranges: bytes") + data)

    def dribble(self, data):
        """Pieces of every size, with pauses: reads end in the middle of everything."""
        at, turn = 0, 0
        while at < len(data):
            size = (97, 1448, 10, 20000, 4096)[turn % 5]
            self.sock.sendall(data[at:at + size])
            at += size
            turn += 1
            time.sleep(0.002)

    def upgrade(self):
        self.sock.sendall(_head("101 Switching Protocols", "Upgrade: echo",
                                "Connection: Upgrade"))
        while data := self.stream.read1(65536):
            self.sock.sendall(data)

    def reset(self, data):
        self.sock.sendall(data)
        time.sleep(0.1)  # the proxy shall have taken (some of) it
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class ScriptedOrigin:
    """A context manager; one thread for each connection, with TLS if there is a context."""

    def __init__(self, address, port, context=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=256)
        self._context = context
        self._sockets = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Shutdown wakes the threads, which close their sockets themselves.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._sockets:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the proxy was first

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        plain = sock
        try:
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            conversation = _Conversation(sock)
            with conversation.stream:
                conversation.run()
        except OSError:
            pass  # a proxy that is killed is part of the tests
        finally:
            with self._lock:
                self._sockets.discard(plain)
            sock.close()
