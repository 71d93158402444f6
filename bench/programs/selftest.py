#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Do the benchmark programs notice what they must, and count what they say?"""

import argparse
import contextlib
import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

SIZE = 50_000
SHAPES = ("download", "chunked", "upload", "upload-chunked")


def pattern(size):
    """The pattern's beginning, worked out apart from the programs (SplitMix64)."""
    mask = (1 << 64) - 1
    state, words = 0x6c69627261, []
    for _ in range(size // 8 + 1):
        state = (state + 0x9e3779b97f4a7c15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & mask
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
        words.append((z ^ (z >> 31)).to_bytes(8, "little"))
    return b"".join(words)[:size]


def body_of(number, size):
    """One of the bodies that --vary asks for."""
    begin = number % 1024 * 4099
    return pattern(begin + size)[begin:]


BODY = pattern(SIZE)


def head(*fields, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


def with_length(body, claimed=None, status="200 OK"):
    claimed = len(body) if claimed is None else claimed
    return head(f"Content-Length: {claimed}", status=status) + body


def chunked(body, size=777):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    framed = b"".join(f"{len(part):X};x=y\r\n".encode() + part + b"\r\n" for part in parts)
    return head("Transfer-Encoding: chunked") + framed + b"0\r\nTrailer: t\r\n\r\n"


def compressed(body, coding="gzip"):
    return (head(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}") + body)


def flipped(at):
    changed = bytearray(BODY)
    changed[at] ^= 1
    return bytes(changed)


# name: (what the origin sends, whether it closes then, what --verify must say of it)
EXACT, WRONG = {"exact": 1}, {"mismatches": 1}
ANSWERS = {
    "exact": (with_length(BODY), False, EXACT),
    "continue": (head(status="100 Continue") + with_length(BODY), False, EXACT),
    "chunked": (chunked(BODY), False, EXACT),
    "until-close": (head() + BODY, True, EXACT),
    "first": (with_length(flipped(0)), False, WRONG),
    "last": (with_length(flipped(SIZE - 1)), False, WRONG),
    "chunked-flipped": (chunked(flipped(1234)), False, WRONG),
    "shorter": (with_length(BODY[:-1]), False, WRONG),
    "longer": (with_length(BODY + b"x"), False, WRONG),
    "wrong-then-closed": (with_length(flipped(10)[:20000], SIZE), True, WRONG),
    "truncated": (with_length(BODY[:100], SIZE), True, {"errors": 1, "first": "truncated"}),
    "closed": (b"", True, {"errors": 1, "first": "truncated"}),
    "stalled": (with_length(BODY[:100], SIZE), False, {"errors": 1, "first": "timeout"}),
    "silent": (b"", False, {"errors": 1, "first": "timeout"}),
    "status": (with_length(b"x", status="502 Bad Gateway"), False,
               {"errors": 1, "first": "status: 502"}),
    "not-http": (b"SSH-2.0-x\r\n\r\n", True, {"errors": 1, "first": "malformed"}),
    "bad-chunk": (head("Transfer-Encoding: chunked") + b"zz\r\n", False,
                  {"errors": 1, "first": "malformed"}),
}
ZIPPED = gzip.compress(BODY)
# The same of --gzip.
CODED = {
    "gzip": (compressed(ZIPPED), EXACT),
    "gzip, flipped": (compressed(gzip.compress(flipped(SIZE - 1))), WRONG),
    "gzip, shorter": (compressed(gzip.compress(BODY[:-1])), WRONG),
    "gzip without an end": (compressed(ZIPPED[:-1]), {"errors": 1, "first": "malformed"}),
    "no gzip": (compressed(BODY), {"errors": 1, "first": "malformed"}),
    "not coded": (with_length(BODY), {"errors": 1, "first": "coding"}),
    "coded otherwise": (compressed(BODY, "br"), {"errors": 1, "first": "coding"}),
}
# Those that show without comparing bytes.
LENGTHS = ("shorter", "longer", "truncated", "stalled", "status")


class Server:
    """Answers every GET with what `answer(number)` returns: (bytes, close). tls: its context."""

    def __init__(self, answer, tls=None):
        self.answer, self.number, self.tls = answer, 0, tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError):
            self.talk(self.tls.wrap_socket(connection, server_side=True) if self.tls
                      else connection)

    def talk(self, connection):
        with connection:
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    more = connection.recv(4096)
                    if not more:
                        return
                    pending += more
                pending = pending.split(b"\r\n\r\n", 1)[1]
                self.number += 1
                answer, close = self.answer(self.number)
                connection.sendall(answer)
                if close:
                    if self.tls:
                        connection.unwrap()     # or the client takes it for cut off
                    return


class Test:
    def __init__(self, programs):
        self.programs = programs
        self.failures = []

    def client(self, address, shape, *options, size=SIZE, connections=1):
        command = [self.programs.client, "--address", address, "--shape", shape, "--size",
                   str(size), "--connections", str(connections), *options]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        seen = json.loads(run.stdout)
        errors = run.stderr.splitlines()
        self.expect(f"{command}: stderr", errors[:2], ["measuring", "measured"])
        failed = bool(seen["errors"] or seen.get("mismatches"))
        self.expect(f"{command}: exit status", run.returncode, int(failed))
        self.expect(f"{command}: lines on stderr", len(errors), 3 if failed else 2)
        self.expect(f"{command}: histogram", sum(count for _, count in seen["histogram"]),
                    seen["requests"])
        return seen

    def expect(self, name, seen, expected):
        if seen != expected:
            self.failures.append(f"{name}: {seen}, expected {expected}")

    def check(self, name, seen, first="", **expected):
        expected = {"errors": 0, **expected}
        wrong = {key: seen.get(key) for key in expected if seen.get(key) != expected[key]}
        if wrong or not seen["first_error"].startswith(first):
            self.failures.append(f"{name}: {wrong}, expected {expected} {first}; {seen}")

    @contextlib.contextmanager
    def started(self, binary, *options):
        with subprocess.Popen([binary, "--listen", "127.0.0.1:0", *options], text=True,
                              stdout=subprocess.PIPE) as program:
            try:
                said = program.stdout.readline().split()
                if said[:1] != ["ready"]:
                    raise RuntimeError(f"{binary} {options}: said {said}, not ready")
                yield f"127.0.0.1:{said[1]}"
            finally:
                program.terminate()
                self.expect(f"{binary}: exit status", program.wait(timeout=10), 0)

    def lies(self):
        for name, (answer, close, expected) in ANSWERS.items():
            server = Server(lambda _, answer=answer, close=close: (answer, close))
            timeout = "0.3" if expected.get("first") == "timeout" else "10"
            seen = self.client(server.address, "download", "--requests", "1", "--verify",
                               "--timeout", timeout)
            self.check(name, seen, **{"exact": 0, "mismatches": 0, **expected})
            if name in LENGTHS:
                seen = self.client(server.address, "download", "--requests", "1", "--timeout",
                                   timeout)
                self.check(f"{name}, discarded", seen, requests=0, errors=1)
            if expected is EXACT:
                seen = self.client(server.address, "download", "--requests", "1")
                self.check(f"{name}, discarded", seen, requests=1, bytes=SIZE)
        # It may show only with the next request on the connection.
        junk = Server(lambda _: (with_length(BODY) + b"junk", False))
        seen = self.client(junk.address, "download", "--requests", "3", "--verify")
        self.check("bytes behind the end", seen, errors=seen["errors"] or 1, first="malformed")
        seen = self.client("127.0.0.1:1", "download", "--requests", "2")
        self.check("nobody listens", seen, errors=2, first="connect")

    def coded(self):
        for name, (answer, expected) in CODED.items():
            server = Server(lambda _, answer=answer: (answer, False))
            seen = self.client(server.address, "download", "--requests", "1", "--verify", "--gzip")
            self.check(name, seen, **{"exact": 0, "mismatches": 0, **expected})
        server = Server(lambda _: (compressed(ZIPPED), False))
        seen = self.client(server.address, "download", "--requests", "5", "--gzip")
        self.check("gzip, discarded", seen, requests=5, bytes=5 * SIZE)
        seen = self.client(server.address, "download", "--requests", "1")
        self.check("gzip, not asked for", seen, errors=1, first="coding")

    def encrypted(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = (os.path.join(folder, name) for name in ("key", "certificate"))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test",
                            "-keyout", key, "-out", certificate], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
        for size in (1, SIZE, 3_000_001):
            body = pattern(size)
            server = Server(lambda _, body=body: (with_length(body), False), context)
            for how in (["--verify"], [], ["--verify", "--one-shot"]):
                seen = self.client(server.address, "download", "--requests", "8", "--tls", *how,
                                   size=size, connections=3)
                self.check(f"TLS, {size} bytes {how}", seen, requests=8, bytes=8 * size)
        for name, (answer, close, expected) in ANSWERS.items():
            if expected.get("first") != "timeout":
                server = Server(lambda _, answer=answer, close=close: (answer, close), context)
                seen = self.client(server.address, "download", "--requests", "1", "--verify",
                                   "--tls")
                self.check(f"TLS, {name}", seen, **{"exact": 0, "mismatches": 0, **expected})
        plain = Server(lambda _: (with_length(BODY), True))
        seen = self.client(plain.address, "download", "--requests", "1", "--tls",
                           "--timeout", "0.5")
        self.check("TLS, to who has none", seen, requests=0, errors=1)

    def stale(self):
        """What is left of another body is noticed, if each request asks for another."""
        bodies = [body_of(number, SIZE) for number in range(4)]
        older = [BODY, *bodies[:-1]]
        page = slice(8192, 12288)
        for name, sent in (
                ("none", bodies), ("always the first", [BODY] * 4), ("the one before", older),
                ("a page of the one before",
                 [new[:page.start] + old[page] + new[page.stop:]
                  for new, old in zip(bodies, older)]),
                ("another page of the one before",
                 [new[:page.start] + old[:4096] + new[page.stop:]
                  for new, old in zip(bodies, older)])):
            server = Server(lambda number, sent=sent: (with_length(sent[number - 1]), False))
            seen = self.client(server.address, "download", "--requests", "4", "--verify",
                               "--vary", "0")
            right = sum(had == wanted for had, wanted in zip(sent, bodies))
            self.check(f"stale: {name}", seen, exact=right, mismatches=4 - right)

    def lingering(self, address):
        """It goes on until it is told, and what comes then does not count."""
        command = [self.programs.client, "--address", address, "--shape", "download", "--size",
                   "1000", "--connections", "2", "--requests", "5", "--linger"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as client:
            self.expect("lingering: stderr", [client.stderr.readline() for _ in range(2)],
                        ["measuring\n", "measured\n"])
            time.sleep(0.2)
            self.expect("lingering: still there", client.poll(), None)
            client.send_signal(signal.SIGTERM)
            seen = json.loads(client.communicate(timeout=10)[0])
            self.expect("lingering: exit status", client.returncode, 0)
        self.check("lingering", seen, requests=5, bytes=5000)

    def origin_checks(self, address):
        """The origin against a client that is not ours."""
        ip, port = address.split(":")

        def ask(request):
            with socket.create_connection((ip, int(port)), timeout=5) as connection:
                connection.sendall(request)
                answer = b""
                while more := connection.recv(65536):
                    answer += more
                return answer

        def put(body, path="/verify"):
            return ask(f"PUT {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}"
                       "\r\n\r\n".encode() + body)

        for name, answer, status in (
                ("exact", put(BODY), b"200"), ("wrong", put(flipped(SIZE - 1)), b"400"),
                ("wrong, not asked", put(flipped(0), "/sink"), b"200"),
                ("another body", put(body_of(1025, SIZE), "/verify/1025"), b"200"),
                ("another body, wrong", put(BODY, "/verify/1"), b"400"),
                ("no body's number", put(BODY, "/verify/x"), b"404"),
                ("behind the number", put(BODY, "/verifyx/1"), b"404"),
                ("unknown", ask(b"GET /x HTTP/1.0\r\n\r\n"), b"404"),
                ("too long", ask(b"GET /bytes/16777217 HTTP/1.0\r\n\r\n"), b"404"),
                ("nonsense", ask(b"nonsense\r\n\r\n"), b"400")):
            self.expect(f"origin, {name}", answer[9:12], status)
        for path in ("bytes", "chunked"):
            answer = ask(f"GET /{path}/{SIZE} HTTP/1.0\r\n\r\n".encode())
            self.expect(f"origin, {path} for HTTP/1.0", answer.split(b"\r\n\r\n", 1)[1] == BODY,
                        True)
            answer = ask(f"GET /{path}/{SIZE}/3 HTTP/1.0\r\n\r\n".encode())
            self.expect(f"origin, another of {path}",
                        answer.split(b"\r\n\r\n", 1)[1] == body_of(3, SIZE), True)

    def all_shapes(self, name, address):
        for shape in SHAPES:
            for size, count in ((0, 8), (1, 40), (16384, 40), (16385, 40), (3_000_001, 12)):
                for how in (["--verify"], [], ["--verify", "--one-shot"],
                            ["--verify", "--vary", "1020"]):
                    seen = self.client(address, shape, "--requests", str(count), *how, size=size,
                                       connections=4)
                    expected = {"exact": count, "mismatches": 0} if "--verify" in how else {}
                    self.check(f"{name}, {shape} of {size} {how}", seen, requests=count,
                               bytes=count * size, **expected)

    def half_close(self, name, address):
        """What follows the client's FIN arrives."""
        ip, port = address.split(":")
        request = f"GET /bytes/{SIZE} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
        for pause in (0, 0.3):  # before and after the relay has its upstream
            answer = b""
            with (contextlib.suppress(OSError),
                  socket.create_connection((ip, int(port)), timeout=10) as connection):
                time.sleep(pause)
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(65536):
                    answer += more
            self.expect(f"{name}: a half-close after {pause} s",
                        answer.split(b"\r\n\r\n", 1)[-1] == BODY, True)

    def queueing(self):
        """One stall on one connection delays all that was due meanwhile."""
        stall, rate = 0.3, 500

        def answer(number):
            if number == 100:
                time.sleep(stall)
            return with_length(b"x"), False

        options = ["--rate", str(rate), "--seconds", "1"]
        seen = self.client(Server(answer).address, "download", *options, size=1)
        self.check("open loop", seen, requests=rate)
        latency = seen["latency_us"]
        # 150 of 500 were due during the stall: even the p90 is one of them.
        for key in ("max", "p99", "p90"):
            if latency[key] < stall * 1e6 / 3:
                self.failures.append(f"open loop: {key} hides the stall: {latency}")
        # A server that never answers again: what was due and found no connection has failed.
        seen = self.client(Server(lambda number: (with_length(b"x") if number < 100 else b"",
                                                  False)).address,
                           "download", *options, "--timeout", "0.5", size=1)
        self.expect("open loop, no answers: all that was due is counted",
                    (seen["requests"], seen["errors"]), (99, rate - 99))

    def span(self, address):
        for options in ([], ["--rate", "200"]):
            seen = self.client(address, "download", "--seconds", "0.5", "--warm-up", "0.2",
                               "--verify", *options, connections=4)
            self.check(f"for a while {options}", seen, mismatches=0, exact=seen["requests"])
            if seen["requests"] == 0 or seen["seconds"] < 0.5:
                self.failures.append(f"for a while {options}: {seen}")

    def slow(self):
        """A window without an answer says nothing: it lasts until there is one, or so many."""
        def answer(_):
            time.sleep(0.4)
            return with_length(b"x"), False

        for at_least in ([], ["--at-least", "3"]):
            seen = self.client(Server(answer).address, "download", "--seconds", "0.1", *at_least,
                               size=1)
            self.check(f"slower than the window {at_least}", seen,
                       requests=int(at_least[1]) if at_least else 1)

    def arguments(self):
        every = {name: [path, "--listen", "127.0.0.1:1x"]
                 for name, path in vars(self.programs).items() if path and name != "mode"}
        every["relay"] += ["--mode", "copy", "--upstream", "127.0.0.1:1"]
        every["client"] = [self.programs.client, "--address", "127.0.0.1", "--shape", "download",
                           "--size", "1", "--connections", "1", "--requests", "1"]
        for name, command in every.items():
            for arguments, status in ((command, 1), (command[:1], 2), (command[:1] + ["--help"],
                                                                      0)):
                run = subprocess.run(arguments, capture_output=True, timeout=10, check=False)
                self.expect(f"{arguments}: exit status", run.returncode, status)
                if not (run.stdout if status == 0 else run.stderr):
                    self.failures.append(f"{name}: {arguments} says nothing")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("origin", "client", "relay"):
        parser.add_argument(f"--{name}", required=True, help=f"libra-bench-{name}")
    parser.add_argument("--mode", action="append", help="only the relay, in this mode")
    programs = parser.parse_args()
    test = Test(programs)

    if not programs.mode:
        test.arguments()
        test.lies()
        test.coded()
        test.stale()
        test.encrypted()
        test.queueing()
        test.slow()
    with test.started(programs.origin, "--chunk", "4000") as origin:
        if not programs.mode:
            test.origin_checks(origin)
            test.span(origin)
            test.lingering(origin)
            test.all_shapes("direct", origin)
        for mode in programs.mode or ("copy", "splice"):
            with test.started(programs.relay, "--mode", mode, "--upstream", origin) as relay:
                test.all_shapes(mode, relay)
                test.half_close(mode, relay)

    for failure in test.failures:
        print(failure)
    return 1 if test.failures else 0


if __name__ == "__main__":
    sys.exit(main())
