# SPDX-License-Identifier: GPL-2.0-only
"""A client that goes through a list of exchanges and notes each outcome, good or bad."""

import dataclasses
import os
import socket
import subprocess
import tempfile

from .raw_http import RawClient, tls_context


@dataclasses.dataclass(frozen=True)
class Cut:
    """A response that did not come to its end, and what of its body had come."""
    received: bytes
    why: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was asked, the body that the origin has for it, and what came.

    What came is (status, fields, body), or Cut."""
    asked: str
    truth: bytes
    came: object


class _Client(RawClient):
    """Keeps what it has of a body."""

    def __init__(self, address, timeout, context, receive_buffer):
        self.received = bytearray()
        host, port = address.rsplit(":", 1)
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname="origin.test")
        self.stream = self.sock.makefile("rb")

    def _body(self, method, status, fields):
        self.received = bytearray()
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if "transfer-encoding" in fields:
            while size := int(self.stream.readline().split(b";")[0], 16):
                self._take(size)
                self.stream.readline()
            self.stream.readline()
        elif "content-length" in fields:
            self._take(int(fields["content-length"]))
        else:
            while part := self.stream.read1(65536):
                self.received += part
        return bytes(self.received)

    def _take(self, size):
        end = len(self.received) + size
        while len(self.received) < end:
            part = self.stream.read1(min(65536, end - len(self.received)))
            if not part:
                raise ConnectionError("the connection ended early")
            self.received += part


class Talk:
    """One client; connects anew whenever a connection was closed or broke."""

    def __init__(self, address, tls=False, receive_buffer=0, timeout=10):
        self.address = address
        self.answers = []
        self._client = None
        self._timeout = timeout
        self._receive_buffer = receive_buffer
        self._context = tls_context() if tls else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._client:
            self._client.__exit__()
        self._client = None

    def ask(self, method, path, truth, fields=(), data=b"", pause=None, end="\r\n"):
        """One request; pause is called before the response is read."""
        received = b""
        try:
            if not self._client:
                self._client = _Client(self.address, self._timeout, self._context,
                                       self._receive_buffer)
            self._client.received = bytearray()
            head = [f"{method} {path} HTTP/1.1", "Host: test", *fields, "", ""]
            self._client.sock.sendall(end.join(head).encode() + data)
            if pause:
                pause()
            response = self._client.response(method)
            came = response.essence()
            if response.status == 100:
                self._client.sock.sendall(truth)
                came = self._client.response(method).essence()
        except (OSError, ValueError) as error:
            if self._client:
                received = bytes(self._client.received)
            came = Cut(received, f"{type(error).__name__}: {error}")
            self.close()
        else:
            ends = {"transfer-encoding", "content-length"}.isdisjoint(response.fields)
            if response.fields.get("connection") == "close" or (ends and response.body):
                self.close()
        self.answers.append(Answer(f"{method} {path}", truth, came))

    def tunnel(self, data):
        """Sends what the other end of a tunnel has to echo, on the current connection."""
        heard = bytearray()
        try:
            if not self._client:
                raise ConnectionError("there is no tunnel")
            self._client.sock.sendall(data)
            while len(heard) < len(data) and (part := self._client.stream.read1(65536)):
                heard += part
            came = (0, {}, bytes(heard)) if len(heard) == len(data) else Cut(bytes(heard), "end")
        except OSError as error:
            came = Cut(bytes(heard), str(error))
        self.close()
        self.answers.append(Answer("tunnel", data, came))

    def curl(self, options, paths, scheme="http"):
        """[(path, truth)] with curl, over one connection; for HTTP/2."""
        with tempfile.TemporaryDirectory() as directory:
            command = ["curl", "-q", "-sS", "-k", "--max-time", "30", *options,
                       "-w", "%{http_code} %{http_version}\n"]
            for number, (path, _) in enumerate(paths):
                command += ["-o", f"{directory}/{number}", f"{scheme}://{self.address}{path}"]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            said = run.stdout.splitlines()
            for number, (path, truth) in enumerate(paths):
                file = f"{directory}/{number}"
                data = b""
                if os.path.exists(file):
                    with open(file, "rb") as stream:
                        data = stream.read()
                status, version = said[number].split() if number < len(said) else ("000", "0")
                came = (int(status), {"version": version}, data)
                if status == "000" or run.returncode != 0:
                    came = Cut(data, run.stderr.strip())
                self.answers.append(Answer(f"curl {path}", truth, came))
