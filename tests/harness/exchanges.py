# SPDX-License-Identifier: GPL-2.0-only
"""What a client asks a proxy in the rows of the matrix. Each takes a Talk."""

import time

from .scripted_origin import body

MIN_ANCHOR = 4096
LARGE = 1 << 20
PAGE = 300_001
GZIP = ("Accept-Encoding: gzip",)


def get(talk, size, shape="length", kind="", fields=(), pause=None):
    path = f"/{shape}/{size}" + (f"/{kind}" if kind else "")
    talk.ask("GET", path, body(size, kind), fields, pause=pause)


def gets(talk):
    """Every framing, and sizes around the threshold."""
    for size in (0, 1, MIN_ANCHOR - 1, MIN_ANCHOR, MIN_ANCHOR + 1, 65536, LARGE):
        get(talk, size)
    for size in (100, PAGE):
        get(talk, size, kind="html")
    get(talk, 65537, "chunked")
    get(talk, 65536)
    get(talk, 65537, "until-close")
    get(talk, PAGE)


def few(talk):
    for size in (1, MIN_ANCHOR, 65536, PAGE):
        get(talk, size)
    get(talk, PAGE, "chunked")


def pages(talk, fields=()):
    for size in (PAGE, 4096, 100):
        get(talk, size, kind="html", fields=fields)


def gzip_pages(talk):
    """And then more than net.libra.max_unmet messages, for longer than unmet_ms."""
    pages(talk, GZIP)
    for _ in range(16):
        get(talk, 4096, kind="html", fields=GZIP)
    time.sleep(1.5)
    get(talk, 4096, kind="html", fields=GZIP)


def gzip_binary(talk):
    for size in (PAGE, 4096, 100):
        get(talk, size, fields=GZIP)


def encoded_pages(talk):
    """Compressed by the origin, for a client that did not ask for it."""
    get(talk, PAGE, kind="gzip")


def twice(talk):
    """The second answer may come from a cache."""
    for _ in range(2):
        get(talk, 12_000, kind="fresh")
    for _ in range(2):
        get(talk, PAGE)


def bare_lf(talk):
    """Proxies take such a request and pass on a proper one, which is answered."""
    talk.ask("GET", f"/length/{PAGE}", body(PAGE), end="\n")
    get(talk, PAGE)


def ranges(talk):
    """Parts from the middle, and with the end."""
    for first, last in ((100_000, 200_000), (0, 9_999), (290_000, PAGE - 1)):
        talk.ask("GET", f"/length/{PAGE}", body(PAGE)[first:last + 1],
                 [f"Range: bytes={first}-{last}"])


def whole_of_ranges(talk):
    for size in (1, 65536, PAGE):
        get(talk, size, "range")


def slow(talk):
    """A client that takes its time before it reads."""
    for _ in range(2):
        get(talk, LARGE, pause=lambda: time.sleep(0.5))
    get(talk, 1)


def uploads(talk):
    for size in (0, 1, MIN_ANCHOR, PAGE):
        data = body(size)
        talk.ask("POST", "/echo", data, [f"Content-Length: {size}"], data)
    data = body(PAGE)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (PAGE, data)
    talk.ask("POST", "/echo", data, ["Transfer-Encoding: chunked"], chunks)
    get(talk, PAGE)


def expecting_upload(talk):
    talk.ask("POST", "/echo", body(PAGE), [f"Content-Length: {PAGE}", "Expect: 100-continue"])
    get(talk, PAGE)


def flaky_uploads(talk):
    """The first upstream takes the request and closes."""
    for size in (1, 6000, 12_000):
        data = body(size)
        talk.ask("POST", "/flaky/0", data, [f"Content-Length: {size}"], data)
    get(talk, PAGE, "flaky")


def errors(talk):
    for size in (1, PAGE):
        talk.ask("GET", f"/error/{size}", body(size))
    get(talk, PAGE)


def checked(talk):
    """After some health checks."""
    time.sleep(2)
    few(talk)


def put_and_get(talk):
    data = body(PAGE)
    talk.ask("PUT", "/file", b"", [f"Content-Length: {PAGE}"], data)
    talk.ask("GET", "/file", data)


def upgrade(talk):
    """Afterwards the connection is a tunnel in both directions."""
    talk.ask("GET", "/upgrade", b"", ["Connection: Upgrade", "Upgrade: echo"])
    talk.tunnel(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + body(PAGE))


def secret_uploads(talk):
    """A word that a rule may look for, behind what is enough to be anchored."""
    for size in (100, 8000):
        data = b"secret".rjust(size, b".")
        talk.ask("POST", "/echo", data, [f"Content-Length: {size}"], data)


def _paths(sizes):
    return [(f"/length/{size}", body(size)) for size in sizes]


def http2(talk):
    for size in (0, 1, MIN_ANCHOR, 65536, LARGE):  # curl 7.88 cannot reuse such a connection
        talk.curl(["--http2-prior-knowledge"], _paths([size]))


def http2_tls(talk):
    talk.curl(["--http2"], _paths((1, 65536, LARGE)), "https")
