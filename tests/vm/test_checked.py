#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Copied messages are looked for on their way out: what a proxy alters is told, with upstream,
request and content type; what it forwards, and what merely does not leave, is not."""

import contextlib
import json
import socket
import time
import urllib.request

import vmtest
from harness import libra, servers

LISTEN, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8001"
GZIP = "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;"
EDITS = "sub_filter_once off; sub_filter_types *; sub_filter 'a' 'b';"
BODY = 256 << 10
COUNTED = ("checked_messages", "checked_altered", "checked_unsent", "checked_skipped")


@contextlib.contextmanager
def scene(env, tap, name, program="nginx", extra="", mode="dry-run", options=(), origin=""):
    """A proxy, and what the checks counted since it began."""
    with tap.case(name) as case:
        with env.origin(ORIGIN, extra=origin), contextlib.ExitStack() as stack:
            stack.enter_context(env.daemon.policy(LISTEN, ORIGIN, 1, mode, options))
            if program == "nginx":
                stack.enter_context(servers.start_nginx(
                    "proxy", env.path("proxy"),
                    servers.NGINX_PROXY.format(
                        upstream=ORIGIN, listen=LISTEN,
                        directives=servers.NGINX_CONFIGS["b"] + extra), 8101))
            else:
                stack.enter_context(env.proxy(program, "a", LISTEN, ORIGIN, mode=None,
                                              extra=extra))
            before = libra.counters()
            yield case, lambda: [libra.counters()[key] - before[key] for key in COUNTED]
        case.equal(libra.settle(), {}, "left behind")


def wait(condition, seconds=40):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.3)


def checked(env):
    return json.loads(env.daemon.ctl("--json", "checked").stdout)


def get(name, **headers):
    request = urllib.request.Request(f"http://{LISTEN}/{name}", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def forwards(env, tap):
    for program in ("nginx", "haproxy"):
        with scene(env, tap, f"{program}: what it forwards is not altered", program) as (case, counts):
            anchorable = libra.counters()["rx_anchorable_bytes"]
            result = env.load(LISTEN, "256k", "-c", 4, "-n", 40).result()
            case.equal((result["errors"], result["mismatches"]), (0, 0), "errors, mismatches")
            case.equal(counts(), [40, 0, 0, 0], COUNTED)
            share = (libra.counters()["rx_anchorable_bytes"] - anchorable) / (40 * BODY)
            case.check(0.6 < share <= 1, f"{share:.3f} of the bytes anchorable")
            case.equal(libra.counters()["anchors_minted"], 0, "anchors")
            said = env.daemon.ctl("checked").stdout
            case.check(" left unchanged, 0 altered, 0 not sent; " in said and
                       "of the bytes anchorable" in said, said)


def chunks(env, tap):
    """The origin sends chunks, and nginx others: framing is not what is compared."""
    with scene(env, tap, "framing may change", origin=GZIP) as (case, counts):
        for _ in range(5):
            case.check(get("256k", **{"Accept-Encoding": "gzip"})[:2] == b"\x1f\x8b", "plain")
        case.equal(counts(), [5, 0, 0, 0], COUNTED)


def alters(env, tap):
    for what, extra in (("compresses", GZIP), ("edits", EDITS)):
        with scene(env, tap, f"nginx {what}: told with upstream, request and type",
                   extra=extra) as (case, counts):
            for i in range(5):
                get(f"256k?token={i}", **{"Accept-Encoding": "gzip"})
            wait(lambda: counts()[0] >= 5)
            case.equal(counts(), [5, 5, 0, 0], COUNTED)
            found = checked(env)
            last = found["last_altered"][0]
            case.equal((last["from"], last["peer"], last["request"], last["content_type"],
                        last["bytes"]),
                       ("upstream", ORIGIN, "GET /256k", "application/octet-stream", BODY),
                       "the last one")
            said = env.daemon.ctl("checked").stdout
            case.check("GET /256k" in said and "token=" not in said, said)


def leaves_out(env, tap):
    """Clients that go away, and answers that only the proxy wanted, are no alterations."""
    with scene(env, tap, "clients that go away") as (case, counts):
        host, port = LISTEN.split(":")
        for _ in range(6):
            with socket.create_connection((host, int(port)), timeout=30) as client:
                client.sendall(b"GET /10m HTTP/1.1\r\nHost: x\r\n\r\n")
                client.recv(10000)
            get("256k")
        wait(lambda: counts()[0] >= 6)
        time.sleep(7)
        now = counts()
        case.check(now[0] >= 6 and now[1] == 0, f"{COUNTED}: {now}")
    mirror = "mirror /mirror; } location /mirror { internal; proxy_pass http://origin/256k;"
    with scene(env, tap, "answers that are thrown away", extra=mirror) as (case, counts):
        for _ in range(4):
            get("64k")
        time.sleep(7)
        number, altered, _, _ = counts()
        case.check(number >= 4 and altered == 0, f"{COUNTED}: {counts()}")


def sample(env, tap):
    options = ("--check", "all")
    with scene(env, tap, "mode token: what is checked is copied", mode="token",
               options=options) as (case, counts):
        before = libra.counters()
        result = env.load(LISTEN, "256k", "-c", 4, "-n", 40).result()
        case.equal((result["errors"], result["mismatches"]), (0, 0), "errors, mismatches")
        case.equal(counts(), [40, 0, 0, 0], COUNTED)
        after = libra.counters()
        case.equal(after["anchors_minted"], before["anchors_minted"], "anchors")
        case.check(after["fallback_checked"] > before["fallback_checked"], "fallback_checked")
    with scene(env, tap, "mode token: a sample is checked, the rest anchored", mode="token",
               options=("--check", "1/8")) as (case, counts):
        before = libra.counters()
        result = env.load(LISTEN, "256k", "-c", 4, "-n", 200).result()
        case.equal((result["errors"], result["mismatches"]), (0, 0), "errors, mismatches")
        number, altered, unsent, skipped = counts()
        case.check(5 <= number <= 60, f"{number} of 200 were checked")
        case.equal((altered, unsent, skipped), (0, 0, 0), COUNTED[1:])
        after = libra.counters()
        case.check(after["rx_anchored_bytes"] - before["rx_anchored_bytes"] > 100 * BODY, "anchored")
        case.equal(after["fail_stops"], before["fail_stops"], "fail-stops")


def trips(env, tap):
    with scene(env, tap, "mode token: altered messages trip the breaker", mode="token", extra=GZIP,
               options=("--check", "all", "--breaker", "3/60")) as (case, counts):
        for _ in range(4):
            get("256k", **{"Accept-Encoding": "gzip"})
        wait(lambda: env.daemon.status()["policies"][0]["tripped"])
        case.check(env.daemon.status()["policies"][0]["tripped"], "it did not trip")
        case.check(counts()[1] >= 3, f"{COUNTED}: {counts()}")
        case.equal(libra.counters()["fail_stops"], 0, "fail-stops")


def body(env, tap):
    forwards(env, tap)
    chunks(env, tap)
    alters(env, tap)
    leaves_out(env, tap)
    sample(env, tap)
    trips(env, tap)


if __name__ == "__main__":
    vmtest.main("checked", __doc__.splitlines()[0], body,
                sizes=("64k", "256k", "10m"))
