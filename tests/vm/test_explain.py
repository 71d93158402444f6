#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""libractl explain says why a connection is accelerated or not, and names the right reason."""

import contextlib
import json
import os
import subprocess

import vmtest
from harness import libra, servers
from harness.matrix import certificate
from harness.pair import connect
from harness.raw_http import RawClient

ORIGIN, LISTEN, LISTEN_TLS, LAZY = 8001, 8101, 8102, 8103
# Not beyond doubt, but nginx answers, and the connection stays.
ODD = b"GET /256k HTTP/1.1\nHost: test\n\n"
FILES = ("libra_sockets", "libra_payload")
GZIP = "gzip on; gzip_types application/octet-stream; gzip_proxied any; gzip_min_length 1;"

NGINX = """
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        location / {{
            proxy_pass http://origin;
            proxy_max_temp_file_size 0;
            {directives}
        }}
    }}
"""


def libractl(env, *arguments):
    return subprocess.run([os.path.join(env.build, "tools/libractl"), *arguments],
                          capture_output=True, text=True, check=False, timeout=120)


def explain(env, target):
    """What is said of it, as JSON; and in words, so that both are known to work."""
    done = libractl(env, "--json", "explain", str(target))
    assert done.returncode == 0, done.stdout + done.stderr
    words = libractl(env, "explain", str(target))
    assert words.returncode == 0 and words.stdout, words.stderr
    return json.loads(done.stdout), words.stdout


def connection(env, local=None, peer=None):
    """The one that has these ports, as its process sees it."""
    answer, words = explain(env, f":{local or peer}")
    for one in answer["connections"]:
        ports = [int(one[end].rsplit(":", 1)[1]) for end in ("local", "peer")]
        if local in (None, ports[0]) and peer in (None, ports[1]):
            return one, words
    raise AssertionError(f"it is not among {answer['connections']}")


def finding(one, code):
    found = [finding for finding in one["findings"] if finding["code"] == code]
    return found[0]["text"] if found else None


def said(case, one, code, *parts):
    """That is among what is said of it, with these words."""
    text = finding(one, code)
    if case.check(text is not None, f"{code} is not among {one['findings']}"):
        for part in parts:
            case.check(part in text, f"{part!r} is not in {text!r}")


def not_said(case, one, *codes):
    for code in codes:
        case.check(finding(one, code) is None, f"{code}: {finding(one, code)}")


def ask(client, times=3, fields=""):
    for _ in range(times):
        client.send("GET /256k HTTP/1.1\nHost: test" + fields)
        response = client.response()
        assert response.status == 200, response.status


@contextlib.contextmanager
def nginx(env, name):
    with servers.start_nginx(name, env.path(name), NGINX.format(
            plain=LISTEN, tls=LISTEN_TLS, origin=ORIGIN, pem=certificate(env),
            directives=servers.NGINX_CONFIGS["b"]), LISTEN) as process:
        yield process


@contextlib.contextmanager
def policy(env):
    with env.daemon.policy(f"127.0.0.1:{LISTEN}", f"127.0.0.1:{ORIGIN}", 1) as number:
        yield number


def client_of(port, **options):
    return RawClient(f"127.0.0.1:{port}", **options)


def files(env, tap):
    with tap.case("the files in /proc are root's, and have a title") as case:
        for name in FILES:
            path = f"/proc/net/{name}"
            case.equal(os.stat(path).st_mode & 0o777, 0o400, name)
            with open(path, encoding="ascii") as text:
                case.equal(text.readline(), f"{name} 1\n", "title")
    with tap.case("many connections are each shown once, however they are read") as case:
        with policy(env), contextlib.ExitStack() as stack:
            wanted = set()
            for _ in range(300):
                accepted, connecting = connect(LISTEN)
                stack.enter_context(accepted)
                stack.enter_context(connecting)
                wanted.add("{}:{}".format(*accepted.getpeername()))
            for size in (97, 700, 1 << 20):
                lines = read_in_pieces("/proc/net/libra_sockets", size)
                got = [dict(word.split("=", 1) for word in line.split()[1:])["peer"]
                       for line in lines[1:]]
                case.equal((len(got), set(got)), (len(wanted), wanted), f"pieces of {size}")
    with tap.case("a reader that seeks anywhere gets nothing that is wrong") as case:
        for name in FILES:
            with open(f"/proc/net/{name}", "rb", buffering=0) as text:
                for place in (1, 4095, 1 << 31, (1 << 62) + 5, (1 << 63) - 1):
                    try:
                        text.seek(place)
                        text.read(4096)
                    except OSError as error:
                        case.check(error.errno in (22, 75), f"{name} at {place}: {error}")


def read_in_pieces(path, size):
    data = b""
    fd = os.open(path, os.O_RDONLY)
    try:
        while piece := os.read(fd, size):
            data += piece
    finally:
        os.close(fd)
    return data.decode().splitlines()


def not_attached(env, tap):
    with tap.case("nginx, no policy, no payload memory") as case, nginx(env, "alone") as process, \
            client_of(LISTEN) as client:
        ask(client)
        one, words = connection(env, local=LISTEN)
        case.equal(one["verdict"], "not accelerated", "verdict")
        said(case, one, "not_attached")
        said(case, one, "no_preload", "nginx", "LD_PRELOAD")
        case.check("mend: " in words and "libra-malloc.so" in words, words)
        answer, _ = explain(env, process.pid)
        pids = [one["pid"] for one in answer["processes"]]
        case.check(process.pid in pids, f"{process.pid} is not among {pids}")
        case.check(answer["connections"], "its worker has none")
    with tap.case("what is not there") as case:
        case.equal(libractl(env, "explain", ":9").returncode, 1, "a connection")
        case.equal(libractl(env, "explain", "nobody.service").returncode, 1, "a service")
        case.equal(libractl(env, "explain", "1.2.3.4:x").returncode, 2, "nonsense")


def attached(env, tap, program):
    with policy(env) as number, start(env, program), client_of(LISTEN) as client:
        ask(client)
        with tap.case(f"{program}: attached, and payload stays in the kernel") as case:
            one, words = connection(env, peer=ORIGIN)
            case.equal(one["verdict"], "accelerated", "verdict")
            said(case, one, "attached", f"policy {number} (http1, domain 1, token)", "an upstream")
            said(case, one, "kept", "responses: ", "kept in the kernel")
            case.check("100.0 %" in finding(one, "kept") or "9" in finding(one, "kept"), words)
            not_said(case, one, "passes", "held_by_client", "off_by_sysctl", "stranger")
            one, _ = connection(env, local=LISTEN)
            said(case, one, "attached", "a client")
            said(case, one, "requests_copied")
        with tap.case(f"{program}: token mode is off") as case, libra.sysctl("enabled", 0):
            ask(client)
            one, _ = connection(env, peer=ORIGIN)
            said(case, one, "off_by_sysctl", "net.libra.enabled")
            case.equal(one["verdict"], "partly accelerated", "verdict")


def start(env, program):
    if program == "nginx":
        return nginx(env, "proxy")
    return servers.start_proxy(env.path("proxy-haproxy"), "haproxy", "a", f"127.0.0.1:{LISTEN}",
                               f"127.0.0.1:{ORIGIN}")


def passing(env, tap):
    with policy(env), nginx(env, "passing"), client_of(LISTEN) as plain, \
            client_of(LISTEN) as odd:
        ask(plain)
        odd.sock.sendall(ODD)
        assert odd.response().status == 200
        port = odd.sock.getsockname()[1]
        with tap.case("a client that the parser does not understand passes") as case:
            one, words = connection(env, LISTEN, port)
            said(case, one, "passes", "fallback_parser_pass", "HTTP/2")
            case.check("requests (no payload yet): passes" in words, words)
            case.equal(one["verdict"], "not accelerated", "verdict")
        with tap.case("it is named to those that it holds down") as case:
            one, _ = connection(env, peer=ORIGIN)
            said(case, one, "held_by_client", f"127.0.0.1:{port}", "domain 1", "HTTP/2")
            not_said(case, one, "passes")


def stranger(env, tap):
    with policy(env), nginx(env, "stranger"), client_of(LISTEN) as plain, \
            client_of(LISTEN_TLS, tls=True) as tls:
        ask(plain)
        ask(tls)
        with tap.case("a connection that no policy names, of a proxy that receives tokens") as case:
            one, _ = connection(env, local=LISTEN_TLS)
            case.equal(one["verdict"], "not accelerated", "verdict")
            said(case, one, "stranger", "no policy names")
            mend = [finding.get("mend", "") for finding in one["findings"]
                    if finding["code"] == "stranger"]
            case.check(f"--listen 127.0.0.1:{LISTEN_TLS}" in mend[0], mend)
        with tap.case("and those that it holds down") as case:
            one, _ = connection(env, peer=ORIGIN)
            said(case, one, "held_by_client", "which no policy names")


def lazy_mode(env, tap):
    def proxy(extra=""):
        return env.proxy("nginx", "b", f"127.0.0.1:{LAZY}", f"127.0.0.1:{ORIGIN}", mode=None,
                         extra=extra, preload=True)

    with proxy(), client_of(LAZY) as client:
        ask(client)
        with tap.case("nginx in payload memory: lazy") as case:
            one, words = connection(env, peer=ORIGIN)
            said(case, one, "lazy", "payload memory")
            said(case, one, "lazy_pages", "left in the kernel")
            case.equal(one["verdict"], "accelerated", words)
            not_said(case, one, "backed_off", "paused", "off_by_sysctl")
        with tap.case("lazy mode is off") as case, libra.sysctl("lazy", 0):
            one, _ = connection(env, peer=ORIGIN)
            said(case, one, "off_by_sysctl", "net.libra.lazy")
            case.equal(one["verdict"], "not accelerated", "verdict")
    with tap.case("nginx that compresses what it reads: backed off") as case, proxy(GZIP), \
            client_of(LAZY) as client:
        ask(client, 20, "\nAccept-Encoding: gzip")
        one, words = connection(env, peer=ORIGIN)
        said(case, one, "lazy")
        case.check(finding(one, "backed_off") or finding(one, "paused"), words)
        case.check(one["verdict"] in ("not accelerated", "partly accelerated"), one["verdict"])


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    files(env, tap)
    with env.origin(f"127.0.0.1:{ORIGIN}", sendfile=False):
        not_attached(env, tap)
        for program in ("nginx", "haproxy"):
            attached(env, tap, program)
        passing(env, tap)
        stranger(env, tap)
        lazy_mode(env, tap)
    with tap.case("nothing is left of it") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("explain", __doc__, body, sizes=("256k",))
