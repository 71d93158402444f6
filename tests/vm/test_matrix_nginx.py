#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""nginx, directive by directive: the bytes are those without Libra, or it is a known issue."""

import os
import ssl

import vmtest
from harness import exchanges as ask
from harness import ktls, matrix, servers
from harness.matrix import ABORTED, BREAKS, CORRUPTS, EITHER, SAME, Row, fields_of
from harness.scripted_origin import ScriptedOrigin

SERVER = """
    upstream origin_@port@ {
        server @first@ max_fails=0;
        @upstream@
    }
    @http@
    server {
        listen 127.0.0.1:@port@ @listen@;
        @server@
        location / {
            @location@
            @config@
        }
    }
"""
PLACES = {"upstream": "", "http": "", "listen": "", "server": "",
          "location": "proxy_pass http://origin_@port@;"}

KEEPALIVE = """proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffers 16 64k; proxy_busy_buffers_size 512k; proxy_buffer_size 16k;
    proxy_max_temp_file_size 0;"""
TINY = """proxy_buffer_size 1k; proxy_buffers 4 1k; proxy_busy_buffers_size 2k;
    proxy_max_temp_file_size 0;"""
TLS = "ssl_certificate @pem@; ssl_certificate_key @pem@;"
SLOW = {"text": {"listen": "sndbuf=32k"}, "client": {"receive_buffer": 16384},
        "exchange": ask.slow, "proof": lambda _, log: "buffered to a temporary file" in log}
CACHE = {"text": {"http": "proxy_cache_path @dir@/cache_@port@ keys_zone=zone_@port@:1m;"},
         "exchange": ask.twice,
         "proof": lambda answers, _: "HIT" in fields_of(answers, "x-cache")}
CACHED = """proxy_cache zone_@port@; proxy_cache_valid 200 10m;
    add_header X-Cache $upstream_cache_status;"""
ANCHOR_REQUESTS = ("--anchor-requests",)
MIRROR = {"server": "location = /mirror { internal; "
                    "proxy_pass http://@second@$request_uri; }"}
RETRY = {"text": {"upstream": "server @second@ backup;"}, "exchange": ask.flaky_uploads}
PUT = "root @dir@/put_@port@; create_full_put_path on; dav_methods PUT;"
EXPIRED = ("anchors_expired",)
# For filters that may find what they look for in what an older request left behind a VPI.
EDITED = ("fail_stop_altered_payload", "fail_stop_stale_payload", "fail_stop_remainder")


def has(name, value):
    return lambda answers, _: value in fields_of(answers, name)


def says(text):
    return lambda answers, _: any(text in answer.came[2] for answer in answers)


def ktls_was_used(*_):
    with open("/proc/net/tls_stat", encoding="ascii") as stat:
        return any(int(value) for name, value in map(str.split, stat) if name == "TlsTxSw")


BUFFERS = [
    Row("defaults"),
    Row("keep-alive, 16 64k", KEEPALIVE, text={"upstream": "keepalive 8;"}),
    Row("buffers of 1k", TINY, lazy=False),
    Row("proxy_buffering off", "proxy_buffering off;"),
    Row("proxy_buffering off, 512k", KEEPALIVE.replace("_size 16k", "_size 512k") +
        "proxy_buffering off;"),
    Row("limit_rate", "limit_rate 512k;", ask.few),
    Row("sendfile on, sendfile_max_chunk", "sendfile on; sendfile_max_chunk 10k;", ask.few),
    Row("temporary files", **SLOW),
    Row("temporary files, sendfile on", "sendfile on; tcp_nopush on;", **SLOW),
    Row("temporary files, aio threads", "aio threads; aio_write on;", **SLOW),
]
READERS = [
    Row("gzip on, client does not accept it", "gzip on;", ask.pages),
    Row("gzip on, another type", "gzip on;", ask.gzip_binary),
    Row("gzip on", "gzip on;", ask.gzip_pages, CORRUPTS, truth=False,
        moved=(*EXPIRED, "fallback_unmet"), may=("fail_stop_stale_payload",),
        issue="Compression by the proxy", proof=has("content-encoding", "gzip")),
    Row("gunzip on", "gunzip on;", ask.encoded_pages, EITHER, truth=False, moved=EXPIRED,
        issue="Decompression by the proxy", proof=says(b"<p>")),
    Row("sub_filter", "sub_filter '</p>' '</P>'; sub_filter_once off;", ask.pages,
        EITHER, truth=False, may=EDITED, issue="Edits of the body", proof=says(b"</P>")),
    Row("ssi on", "ssi on;", ask.pages, EITHER, truth=False, may=EDITED,
        issue="Edits of the body", proof=says(b" SSI<")),
    Row("charset, only named", "charset utf-8;", ask.pages,
        proof=has("content-type", "text/html; charset=utf-8")),
    Row("charset, converted", "source_charset windows-1251; charset koi8-r;", ask.pages, CORRUPTS,
        text={"http": "include /etc/nginx/koi-win;"}, moved=EXPIRED,
        issue="Edits of the body", proof=has("content-type", "text/html; charset=koi8-r")),
    Row("add_before_body, add_after_body", "add_before_body /add; add_after_body /add;",
        ask.pages, truth=False, proof=says(b"added"),
        text={"server": "location = /add { return 200 added; }"}),
    Row("slice", "slice 64k; proxy_set_header Range $slice_range; proxy_http_version 1.1;",
        ask.whole_of_ranges),
    Row("ranges of the origin", "", ask.whole_of_ranges),
    Row("proxy_force_ranges", "proxy_force_ranges on;", ask.ranges, CORRUPTS,
        moved=EXPIRED, may=("fail_stop_stale_payload", "fail_stop_unknown_vpi"),
        issue="Ranges that the proxy cuts"),
    Row("proxy_cache", CACHED, outcomes=BREAKS, moved=("fail_stop_unknown_vpi",),
        issue="Bodies in files and caches", **CACHE),
    Row("proxy_cache, sendfile on", CACHED + "sendfile on;", outcomes=BREAKS,
        moved=("fail_stop_unknown_vpi",), issue="Bodies in files and caches", **CACHE),
    Row("proxy_store", "proxy_store @dir@/store_@port@$uri;", ask.few, CORRUPTS,
        stored="store_@port@/length/300001", issue="Bodies in files and caches"),
    Row("mirror", "mirror /mirror;", ask.few, moved=EXPIRED, text=MIRROR),
    Row("auth_request", "auth_request /auth;", ask.few, moved=EXPIRED, text={
        "server": "location = /auth { internal; proxy_pass http://@second@/length/9000; }"}),
    Row("proxy_intercept_errors", "proxy_intercept_errors on; error_page 503 /sorry;",
        ask.errors, truth=False, proof=says(b"sorry"),
        text={"server": "location = /sorry { return 200 sorry; }"}),
]
UPLOADS = [
    Row("uploads", "", ask.uploads),
    Row("uploads, unbuffered", "proxy_request_buffering off; proxy_http_version 1.1;",
        ask.uploads),
    Row("uploads, anchored", "", ask.uploads, options=ANCHOR_REQUESTS),
    Row("uploads, anchored, sendfile on", "sendfile on;", ask.uploads, options=ANCHOR_REQUESTS),
    Row("uploads, anchored, unbuffered",
        "proxy_request_buffering off; proxy_http_version 1.1;", ask.uploads,
        options=ANCHOR_REQUESTS),
    Row("100-continue", "", ask.expecting_upload),
    Row("proxy_next_upstream", "proxy_next_upstream error timeout non_idempotent;", **RETRY),
    Row("proxy_next_upstream, anchored", "proxy_next_upstream error timeout non_idempotent;",
        outcomes=BREAKS, options=ANCHOR_REQUESTS, moved=("fail_stop_unknown_vpi",),
        issue="Request bodies that are sent again", **RETRY),
    Row("mirror, anchored", "mirror /mirror;", ask.uploads, (SAME, ABORTED),
        options=ANCHOR_REQUESTS, moved=("fail_stop_unknown_vpi",), text=MIRROR,
        issue="Request bodies that are sent again"),
    Row("$request_body in a log", "client_body_buffer_size 1m; access_log @dir@/@port@.log body;",
        ask.uploads, stored="@port@.log",
        text={"http": "log_format body escape=none $request_body;"}),
    Row("$request_body in a log, anchored",
        "client_body_buffer_size 1m; access_log @dir@/@port@.log body_anchored;", ask.uploads,
        CORRUPTS, options=ANCHOR_REQUESTS, stored="@port@.log",
        issue="Request bodies that the proxy reads",
        text={"http": "log_format body_anchored escape=none $request_body;"}),
    Row("dav PUT", "", ask.put_and_get, anchors=False, text={"location": PUT}),
    Row("dav PUT, anchored", "", ask.put_and_get, CORRUPTS, options=ANCHOR_REQUESTS,
        stored="put_@port@/file", issue="Request bodies that the proxy reads",
        text={"location": PUT}),
]
PROTOCOLS = [
    Row("a request with bare LF", "", ask.bare_lf, anchors=False),
    Row("101 upgrade", 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; '
        'proxy_set_header Connection "upgrade";',
        lambda talk: (ask.few(talk), ask.upgrade(talk))),
    Row("TLS client", "", ask.few, anchors=False, client={"tls": True},
        text={"listen": "ssl", "server": TLS}),
    Row("TLS client, kTLS", "", ask.few, anchors=False, client={"tls": True},
        proof=ktls_was_used,
        text={"listen": "ssl", "server": TLS + "ssl_conf_command Options KTLS;"}),
    Row("HTTP/2 client", "", ask.http2, anchors=False, text={"listen": "http2"}),
    Row("HTTP/2 client with TLS", "", ask.http2_tls, anchors=False,
        text={"listen": "ssl http2", "server": TLS}),
    Row("HTTPS origin", "", ask.few, anchors=False,
        text={"location": "proxy_pass https://@first_tls@;"}),
]
STREAM = [
    Row("stream", "proxy_pass @first@;", parser="raw"),
    Row("stream, proxy_buffer_size 256k", "proxy_pass @first@; proxy_buffer_size 256k;",
        parser="raw"),
    Row("stream, uploads", "proxy_pass @first@;", ask.uploads, parser="raw"),
    Row("stream, ssl_preread", "ssl_preread on; proxy_pass $sni_@port@;", ask.few, parser="tls",
        client={"tls": True}, text={
            "http": "map $ssl_preread_server_name $sni_@port@ { origin.test @first_tls@; }"}),
]
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
STREAM_SERVER = "@http@ server { listen 127.0.0.1:@port@; @config@ }"


def run(env, tap, way):
    """All rows, plain and then this way."""
    ktls.prepare()
    pem = matrix.certificate(env)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def http(directory, placed, environment):
        text = matrix.fill(SERVER, PLACES, placed, directory, pem)
        return servers.start_nginx("nginx", directory, text, placed[-1][1],
                                   environment=environment)

    def stream(directory, placed, environment):
        text = matrix.fill(STREAM_SERVER, PLACES, placed, directory, pem)
        if not os.path.exists(STREAM_MODULE):
            raise RuntimeError(f"{STREAM_MODULE} is missing: apt-get install libnginx-mod-stream")
        main = f"load_module {STREAM_MODULE}; stream {{ {text} }}"
        return servers.start_nginx("nginx", directory, "", placed[-1][1], main,
                                   environment=environment)

    with ScriptedOrigin("0.0.0.0", matrix.PORT), \
            ScriptedOrigin("0.0.0.0", matrix.TLS_PORT, context):
        table = matrix.Matrix(env, tap, "nginx", way)
        table.run(BUFFERS + READERS + UPLOADS + PROTOCOLS, http)
        table.run(STREAM, stream)


def body(env, tap):
    run(env, tap, matrix.ATTACHED)


if __name__ == "__main__":
    vmtest.main("matrix", __doc__, body, parsers=())
