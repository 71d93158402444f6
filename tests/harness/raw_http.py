# SPDX-License-Identifier: GPL-2.0-only
"""A client that says exactly what it is told and reads one response at a time."""

import dataclasses
import socket
import ssl


def tls_context(version=None):
    """Of a client that takes any certificate; version: an ssl.TLSVersion, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if version:
        context.minimum_version = context.maximum_version = version
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclasses.dataclass(frozen=True)
class Response:
    status: int
    fields: dict
    body: bytes

    def essence(self):
        """What must be the same with and without Libra: all but the time of day."""
        return self.status, {k: v for k, v in self.fields.items() if k != "date"}, self.body


class RawClient:
    def __init__(self, address, timeout=20, tls=False, version=None):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host.strip("[]"), int(port)), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls_context(version).wrap_socket(self.sock)
        self.stream = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.sock.close()

    def send(self, text, data=b""):
        """A request head, a line each, without the empty one; and what follows it."""
        lines = [line.strip() for line in text.strip().splitlines()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + data)

    def get(self, path, method="GET"):
        self.send(f"{method} {path} HTTP/1.1\nHost: test")
        return self.response(method)

    def response(self, method="GET"):
        start = self.stream.readline().decode().split(" ", 2)
        if len(start) < 2 or not start[0].startswith("HTTP/1."):
            raise ConnectionError(f"not a response: {start}")
        status = int(start[1])
        fields = {}
        while line := self.stream.readline().strip():
            name, value = line.decode().split(":", 1)
            fields[name.lower()] = value.strip()
        return Response(status, fields, self._body(method, status, fields))

    def _body(self, method, status, fields):
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if "transfer-encoding" in fields:
            return self._chunks()
        if "content-length" in fields:
            return self._exactly(int(fields["content-length"]))
        return self.stream.read()

    def _chunks(self):
        parts = []
        while size := int(self.stream.readline().split(b";")[0], 16):
            parts.append(self._exactly(size))
            self._exactly(2)
        self.stream.readline()
        return b"".join(parts)

    def _exactly(self, size):
        data = self.stream.read(size)
        if len(data) != size:
            raise ConnectionError(f"the connection ended after {len(data)} of {size} bytes")
        return data

    def at_end(self):
        """The peer has closed, and had nothing more to say."""
        return self.stream.read(1) == b""
