#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""HAProxy, option by option: the bytes are those without Libra, or it is a known issue."""

import ssl

import vmtest
from harness import exchanges as ask
from harness import matrix, servers
from harness.matrix import BREAKS, CORRUPTS, Row, fields_of
from harness.scripted_origin import PAGE, ScriptedOrigin

GLOBAL = """
global
    nbthread 1
    maxconn 512
    tune.bufsize {bufsize}
defaults
    mode http
    retries 2
    timeout connect 5s
    timeout client 20s
    timeout server 20s
"""
LISTEN = """
@before@
listen proxy_@port@
    bind 127.0.0.1:@port@ @bind@
    @config@
    server first @origin@ @server@
    @second@
"""
PLACES = {"before": "", "bind": "", "server": "", "second": "", "origin": "@first@"}

ANCHOR_REQUESTS = ("--anchor-requests",)
EXPIRED = ("anchors_expired",)
COMPRESSION = "compression algo gzip\n    compression type text/html"
CACHE = {"text": {"before": "cache cache_@port@\n    total-max-size 4\n    "
                            "max-object-size 100000\n    max-age 600"},
         "config": "http-request cache-use cache_@port@\n    http-response cache-store cache_@port@"
                   "\n    http-response set-header X-Cache HIT if !{ srv_id -m found }"}
RETRY = {"config": "balance roundrobin\n    option redispatch 1\n    "
                   "retry-on all-retryable-errors",
         "text": {"second": "server second 127.0.3.1:8001"}, "exchange": ask.flaky_uploads}
WAIT_REQUEST = "http-request wait-for-body time 2s at-least 8k\n    " \
               "http-request deny deny_status 403 if { req.body -m sub secret }"
WAIT_RESPONSE = "http-response wait-for-body time 2s at-least 8k\n    " \
                "http-response deny deny_status 403 if { res.body -m sub $marker$ }"
SNI = "mode tcp\n    tcp-request inspect-delay 5s\n    " \
      "tcp-request content accept if { req.ssl_hello_type 1 }\n    " \
      "use-server first if { req.ssl_sni origin.test }\n    " \
      "tcp-request content reject if !{ req.ssl_sni origin.test }"
# What is looked for is where a VPI would be: behind it is what an older check left in memory.
CHECK = "option httpchk GET /length/{size}/html\n    " \
        f"http-check expect string {PAGE[3:30].decode()}\n    " \
        "default-server inter 300ms fastinter 300ms"


def has(name, value):
    return lambda answers, _: value in fields_of(answers, name)


def refused(answers, _):
    return any(answer.came[0] == 403 for answer in answers)


BODIES = [
    Row("defaults"),
    Row("option http-buffer-request", "option http-buffer-request", ask.uploads),
    Row("option http-no-delay", "option http-no-delay", ask.few),
    Row("option http-server-close", "option http-server-close", ask.few),
    Row("option splice-auto", "option splice-auto"),
    Row("option splice-response", "option splice-response"),
    Row("http-reuse always", "http-reuse always", ask.few),
    Row("http-reuse never", "http-reuse never", ask.few),
    Row("filter trace", "filter trace name test random-forwarding quiet", ask.few),
    Row("http-request return", "http-request return status 200 content-type text/plain "
        "string ready if { path /length/1 }", ask.few, truth=False),
    Row("uploads", "", ask.uploads),
    Row("uploads, anchored", "", ask.uploads, options=ANCHOR_REQUESTS),
    Row("100-continue", "", ask.expecting_upload),
    Row("101 upgrade", "", lambda talk: (ask.few(talk), ask.upgrade(talk))),
    Row("a request with bare LF", "", ask.bare_lf, anchors=False),
]
READERS = [
    Row("compression, client does not accept it", COMPRESSION, ask.pages),
    Row("compression, another type", COMPRESSION, ask.gzip_binary),
    Row("compression", COMPRESSION, ask.gzip_pages, CORRUPTS, truth=False,
        moved=(*EXPIRED, "fallback_unmet"),
        may=("fail_stop_stale_payload", "fail_stop_unknown_vpi"),
        issue="Compression by the proxy", proof=has("content-encoding", "gzip")),
    Row("cache", exchange=ask.twice, outcomes=BREAKS, moved=("fail_stop_unknown_vpi",),
        issue="Bodies in files and caches", proof=has("x-cache", "HIT"), **CACHE),
    Row("retry-on", **RETRY),
    Row("retry-on, anchored", outcomes=BREAKS, options=ANCHOR_REQUESTS,
        moved=("fail_stop_unknown_vpi",), issue="Request bodies that are sent again", **RETRY),
    Row("req.body", WAIT_REQUEST, ask.secret_uploads, truth=False, anchors=False, proof=refused),
    Row("req.body, anchored", WAIT_REQUEST, ask.secret_uploads, CORRUPTS, truth=False,
        options=ANCHOR_REQUESTS, issue="Rules about bodies", proof=refused),
    Row("res.body", WAIT_RESPONSE, ask.pages, CORRUPTS, truth=False,
        issue="Rules about bodies", proof=refused),
]
# In a process of their own: connections to what no policy names hold up, while they are
# there, the requests of all others.
CHECKED = [
    Row("http-check expect string", CHECK.format(size=1000), ask.checked,
        options=("--upstream", "127.0.4.1:8001"),
        text={"server": "check", "origin": "127.0.4.1:8001"}),
    Row("http-check expect string, large", CHECK.format(size=8000), ask.checked, BREAKS,
        options=("--upstream", "127.0.5.1:8001"),
        text={"server": "check", "origin": "127.0.5.1:8001"}, moved=EXPIRED,
        issue="Health checks that read a body"),
]
PROTOCOLS = [
    Row("TLS client", "", ask.few, anchors=False, client={"tls": True},
        text={"bind": "ssl crt @pem@"}),
    Row("HTTP/2 client", "", ask.http2, anchors=False, text={"bind": "proto h2"}),
    Row("HTTP/2 client with TLS", "", ask.http2_tls, anchors=False,
        text={"bind": "ssl crt @pem@ alpn h2"}),
    Row("HTTPS origin", "", ask.few, anchors=False,
        text={"origin": "@first_tls@", "server": "ssl verify none"}),
    Row("mode tcp", "mode tcp", parser="raw"),
    Row("mode tcp, uploads", "mode tcp", ask.uploads, parser="raw"),
    Row("mode tcp, splice", "mode tcp\n    option splice-response\n    option splice-request",
        anchors=None, parser="raw"),
    Row("mode tcp, req.ssl_sni", SNI, ask.few, parser="tls", client={"tls": True},
        text={"origin": "@first_tls@"}),
]
LARGER = [
    Row("bufsize 64k"),
    Row("bufsize 64k, uploads", "", ask.uploads, options=ANCHOR_REQUESTS),
]
LARGEST = [
    Row("bufsize 256k"),
    Row("bufsize 256k, option http-buffer-request", "option http-buffer-request", ask.uploads,
        options=ANCHOR_REQUESTS),
]


def run(env, tap, way):
    """All rows, plain and then this way."""
    pem = matrix.certificate(env)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def start(bufsize):
        def start_all(directory, placed, environment):
            text = GLOBAL.format(bufsize=bufsize) + \
                matrix.fill(LISTEN, PLACES, placed, directory, pem)
            return servers.start_haproxy("haproxy", directory, text, placed[-1][1], environment)
        return start_all

    with ScriptedOrigin("0.0.0.0", matrix.PORT), \
            ScriptedOrigin("0.0.0.0", matrix.TLS_PORT, context):
        table = matrix.Matrix(env, tap, "haproxy", way)
        table.run(BODIES + READERS + PROTOCOLS, start(16384))
        table.run(CHECKED, start(16384))
        table.run(LARGER, start(65536))
        table.run(LARGEST, start(262144))


def body(env, tap):
    run(env, tap, matrix.ATTACHED)


if __name__ == "__main__":
    vmtest.main("matrix", __doc__, body, parsers=())
