#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every shape of an HTTP/1 exchange arrives exactly as without Libra.

Each exchange is made three times through the same proxy: not attached, attached,
and attached with request bodies anchored as well. The answers must be right, and
the same but for the date. What Libra may leave to a native copy is in LEAST; it may not
change a thing.
"""

import vmtest
from harness.raw_http import RawClient
from harness.scripted_origin import ScriptedOrigin, body as origin_body

SIZE = 300_001
SMALL = 100

# nginx only passes an upgrade on when it is told to.
NGINX_UPGRADE = """
            location /upgrade {
                proxy_pass http://origin;
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
            }
"""


def expect(response, size, status=200):
    assert response.status == status, f"status {response.status}, expected {status}"
    assert response.body == origin_body(size), \
        f"a body of {len(response.body)} bytes is not the right one of {size}"
    return response.essence()


def keep_alive(address):
    with RawClient(address) as client:
        return [expect(client.get(f"/length/{size}"), size)
                for size in (SIZE, SMALL, 0, 65536, 1, SIZE)]


def head(address):
    with RawClient(address) as client:
        announced = client.get(f"/length/{SIZE}", "HEAD")
        assert announced.fields["content-length"] == str(SIZE), announced.fields
        return [expect(announced, 0), expect(client.get(f"/length/{SIZE}"), SIZE)]


def no_body(address):
    with RawClient(address) as client:
        return [expect(client.get("/no-content"), 0, 204),
                expect(client.get(f"/length/{SIZE}"), SIZE),
                expect(client.get(f"/not-modified/{SIZE}"), 0, 304),
                expect(client.get(f"/length/{SIZE}"), SIZE)]


def chunked_between(address):
    with RawClient(address) as client:
        return [expect(client.get(f"/{shape}/{SIZE}"), SIZE)
                for shape in ("length", "chunked", "length", "chunked", "length")]


def until_close_between(address):
    answers = []
    for _ in range(2):
        with RawClient(address) as client:
            answers.append(expect(client.get(f"/length/{SIZE}"), SIZE))
            last = client.get(f"/until-close/{SIZE}")
            answers.append(expect(last, SIZE))
            # nginx chunks it, and the connection to the client goes on; HAProxy closes both.
            if "transfer-encoding" in last.fields:
                answers.append(expect(client.get(f"/length/{SIZE}"), SIZE))
            else:
                assert client.at_end(), "the connection stays open"
    return answers


def everything_in_turn(address):
    answers = []
    with RawClient(address) as client:
        for turn in range(3):
            answers += [expect(client.get(f"/length/{SIZE + turn}"), SIZE + turn),
                        expect(client.get(f"/length/{SIZE}", "HEAD"), 0),
                        expect(client.get(f"/chunked/{SIZE}"), SIZE),
                        expect(client.get("/no-content"), 0, 204),
                        expect(client.get(f"/dribble/{SMALL}"), SMALL),
                        expect(client.get(f"/not-modified/{SMALL}"), 0, 304)]
    return answers


def dribbled(address):
    with RawClient(address) as client:
        return [expect(client.get(f"/dribble/{SIZE}"), SIZE) for _ in range(2)]


def pipelined(address):
    paths = [("length", SIZE), ("length", SMALL), ("chunked", SIZE), ("length", 70_000),
             ("length", SIZE)]
    with RawClient(address) as client:
        client.sock.sendall(b"".join(
            f"GET /{shape}/{size} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
            for shape, size in paths))
        return [expect(client.response(), size) for _, size in paths]


def http_1_0(address):
    answers = []
    for shape in ("length", "chunked", "until-close"):
        with RawClient(address) as client:
            client.send(f"GET /{shape}/{SIZE} HTTP/1.0\nHost: test")
            answers.append(expect(client.response(), SIZE))
            assert client.at_end(), "the connection stays open"
    return answers


def uploads(address):
    answers = []
    with RawClient(address) as client:
        for size in (SIZE, SMALL, SIZE):
            client.send(f"POST /echo HTTP/1.1\nHost: test\nContent-Length: {size}",
                        origin_body(size))
            answers.append(expect(client.response(), size))
        answers.append(expect(client.get(f"/length/{SIZE}"), SIZE))
        data = origin_body(SIZE)
        chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n"
                          for part in (data[:1], data[1:100_000], data[100_000:]))
        client.send("POST /echo HTTP/1.1\nHost: test\nTransfer-Encoding: chunked",
                    chunks + b"0\r\n\r\n")
        answers.append(expect(client.response(), SIZE))
        answers.append(expect(client.get(f"/length/{SIZE}"), SIZE))
    return answers


def continue_100(address):
    with RawClient(address) as client:
        client.send(f"POST /echo HTTP/1.1\nHost: test\nContent-Length: {SIZE}\n"
                    "Expect: 100-continue")
        interim = client.response()
        assert interim.status == 100, f"status {interim.status}, expected 100"
        client.sock.sendall(origin_body(SIZE))
        return [expect(client.response(), SIZE), expect(client.get(f"/length/{SIZE}"), SIZE)]


def upgrade(address):
    with RawClient(address) as client:
        client.send("GET /upgrade HTTP/1.1\nHost: test\nConnection: Upgrade\nUpgrade: echo")
        answer = client.response()
        assert answer.status == 101, f"status {answer.status}, expected 101"
        # Looks like HTTP, is not: nothing in a tunnel may be parsed.
        for said in (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x" * 7000,
                     origin_body(SIZE)):
            client.sock.sendall(said)
            heard = client.stream.read(len(said))
            assert heard == said, f"the tunnel changed {len(said)} bytes"
        return [answer.essence()]


SHAPES = {
    "keep-alive": keep_alive,
    "HEAD": head,
    "204 and 304": no_body,
    "chunked between Content-Length": chunked_between,
    "until-close between Content-Length": until_close_between,
    "everything in turn": everything_in_turn,
    "a dribbling origin": dribbled,
    "pipelined requests": pipelined,
    "an HTTP/1.0 client": http_1_0,
    "uploads": uploads,
    "100-continue": continue_100,
    "101 upgrade": upgrade,
}

# Payload in a shape that is no answer's body: from the server, and from the client.
MORE = {
    "uploads": (0, 3 * SIZE),
    "100-continue": (0, SIZE),
    "101 upgrade": (SIZE, SIZE),
}
# The share of its payload that has to be anchored: all but a tenth, for chunks and reads that
# are too small, unless most are.
LEAST = {"a dribbling origin": 0.5}


def least_anchored(name, answers, with_requests):
    from_server, from_client = MORE.get(name, (0, 0))
    payload = sum(len(data) for _, _, data in answers) + from_server
    if with_requests:
        payload += from_client
    return payload * LEAST.get(name, 0.9)


def body(env, tap):
    port = 8001
    with ScriptedOrigin("127.0.0.1", port):
        for program, listen in (("nginx", "127.0.0.1:8101"), ("haproxy", "127.0.0.1:8102")):
            extra = NGINX_UPGRADE if program == "nginx" else ""
            expected = {}
            anchored = {}
            for how, mode, options in (("not attached", None, []), ("attached", "token", []),
                                       ("requests too", "token", ["--anchor-requests"])):
                before = env.counters()
                with env.proxy(program, "b", listen, f"127.0.0.1:{port}", mode, extra, options):
                    for name, shape in SHAPES.items():
                        with tap.case(f"{program}, {how}: {name}") as case:
                            start = env.counters()["rx_anchored_bytes"]
                            answers = shape(listen)
                            grown = env.counters()["rx_anchored_bytes"] - start
                            if env.with_libra and mode:
                                least = least_anchored(name, answers, bool(options))
                                case.check(grown >= least, f"only {grown} bytes were anchored, "
                                                           f"expected {least:.0f}")
                            case.check(answers == expected.setdefault(name, answers),
                                       "the answers differ from those without Libra")
                with tap.case(f"{program}, {how}: nothing left") as case:
                    if mode:
                        env.check_anchored(case, before)
                    anchored[how] = env.counters()["rx_anchored_bytes"] - \
                        before["rx_anchored_bytes"]
                    env.check_idle(case)
            if env.with_libra:
                with tap.case(f"{program}: request bodies are anchored when asked for") as case:
                    more = anchored["requests too"] - anchored["attached"]
                    case.check(more >= SIZE, f"only {more} more bytes were anchored")


if __name__ == "__main__":
    vmtest.main("shapes", __doc__, body)
