// SPDX-License-Identifier: GPL-2.0-only
#include "cases.h"

namespace libra::doctor {
namespace {

// In a location that forwards; it begins in line 5, and proxy_pass is in line 4.
std::string location(const std::string& text) {
    return "http { server {\n"
           "listen 80;\n"
           "location / {\n"
           "proxy_pass http://127.0.0.1:8080;\n" +
           text + "\n} } }\n";
}

// In the server around it; it begins in line 3.
std::string server(const std::string& text) {
    return "http { server {\n"
           "location / { proxy_pass http://127.0.0.1:8080; }\n" +
           text + "\n} }\n";
}

// A server of stream; it begins in line 2.
std::string stream(const std::string& text) {
    return "stream { server {\n" + text + "\n} }\n";
}

}  // namespace

std::vector<Case> nginx_cases() {
    return {
        {"nginx-gzip", location("gzip on;"), {5}, "gzip on;" + location("gzip off;")},
        {"nginx-brotli", location("brotli on;\nzstd on;"), {5, 6}, location("brotli off;")},
        {"nginx-gunzip", location("gunzip on;"), {5}, location("gunzip off;")},
        {"nginx-sub-filter",
         location("sub_filter a b;\nsub_filter c d;\nsubs_filter e f;"),
         {5, 6, 7},
         location("sub_filter_once off;")},
        {"nginx-ssi", location("ssi on;"), {5}, location("ssi off;")},
        {"nginx-charset",
         location("source_charset koi8-r;\ncharset utf-8;"),
         {5},
         location("source_charset utf-8; charset utf-8;")},
        {"nginx-image-filter",
         location("image_filter resize 10 10;"),
         {5},
         location("image_filter off;")},
        {"nginx-xslt", location("xslt_stylesheet a.xslt;"), {5}, location("xslt_types text/xml;")},
        {"nginx-store",
         location("proxy_cache zone;\nproxy_store on;"),
         {5, 6},
         location("proxy_cache off; proxy_store off; fastcgi_cache zone;")},
        {"nginx-srcache",
         location("srcache_store PUT /x;"),
         {5},
         location("srcache_fetch GET /x;")},
        {"nginx-force-ranges",
         location("proxy_force_ranges on;"),
         {5},
         location("proxy_force_ranges off;")},
        {"nginx-lua-body",
         location("body_filter_by_lua_block {\nngx.arg[1] = '}' -- }\n}"),
         {5},
         location("header_filter_by_lua_block { x = '}' }")},
        {"nginx-lua",
         "http { server {\nlocation / {\ncontent_by_lua_file x.lua;\n}\n"
         "location /b {\nproxy_pass http://a;\naccess_by_lua 'x';\n} } }",
         {3, 7},
         location("log_by_lua_block { x() }")},
        {"nginx-js-body",
         location("js_body_filter main.filter;") + stream("js_filter f;\n"
                                                          "proxy_pass a:1;"),
         {5, 8},
         location("js_header_filter main.filter;")},
        {"nginx-script",
         "http { server { location / {\njs_content main.hello;\n} } }",
         {2},
         location("js_set $x main.x;")},
        {"nginx-modsecurity", location("modsecurity on;"), {5}, location("modsecurity off;")},
        {"nginx-protocol",
         "http { server { location / {\nfastcgi_pass 127.0.0.1:9000;\n} } }",
         {2},
         "http { upstream php { server unix:/run/php.sock; }\n"
         "server { location / { fastcgi_pass php; } } }"},
        {"nginx-quic", server("listen 443 quic reuseport;"), {3}, server("listen 443 ssl;")},
        {"nginx-unix-listener",
         server("listen unix:/run/a.sock;"),
         {3},
         "http { server { listen unix:/run/a.sock; location / { return 200; } } }"},
        {"nginx-mptcp", server("listen 80 multipath;"), {3}, server("listen 80 deferred;")},
        {"nginx-next-upstream",
         location("proxy_next_upstream error non_idempotent;"),
         {5},
         location("proxy_next_upstream off;")},
        {"nginx-mirror",
         location("mirror /m;"),
         {5},
         location("mirror /m; mirror_request_body off;")},
        {"nginx-request-body",
         "http {\nlog_format a $request_body;\nserver { access_log /l a; location / {\n"
         "proxy_pass http://a;\nproxy_set_header X ${request_body};\n} } }",
         {2, 5},
         "http { log_format a $request_body; log_format b $request_body_file;\n"
         "server { access_log /l b; location / { proxy_pass http://a; } } }"},
        {"nginx-body-in-file",
         location("client_body_in_file_only clean;"),
         {5},
         location("client_body_in_file_only off;")},
        {"nginx-dav", location("dav_methods DELETE PUT;"), {5}, location("dav_methods DELETE;")},
        {"nginx-small-buffers",
         location("proxy_buffers 8 8k;"),
         {5},
         location("proxy_buffers 16 64k;")},
        {"nginx-uneven-buffers",
         location("proxy_buffers 16 65000;\nproxy_buffer_size 15k;"),
         {5, 6},
         location("proxy_buffers 16 64k; proxy_buffer_size 16k;")},
        {"nginx-small-unbuffered",
         location("proxy_buffering off;\nproxy_buffer_size 16k;"),
         {6},
         location("proxy_buffering off; proxy_buffer_size 512k; proxy_buffers 16 64k; "
                  "proxy_busy_buffers_size 512k;")},
        {"nginx-temporary-files",
         location("proxy_max_temp_file_size 1m;"),
         {5},
         location("proxy_max_temp_file_size 0;")},
        {"nginx-upload-files",
         location("proxy_request_buffering on;"),
         {5},
         location("proxy_request_buffering off;")},
        {"nginx-small-body-buffer",
         location("proxy_request_buffering off;\nclient_body_buffer_size 8k;"),
         {6},
         location("proxy_request_buffering off; client_body_buffer_size 64k;")},
        {"nginx-http-1.0",
         location("proxy_http_version 1.0;"),
         {5},
         location("proxy_http_version 1.1;")},
        {"nginx-tls-client",
         server("listen 443 ssl;"),
         {3},
         server("listen 443 ssl; ssl_conf_command Options KTLS;")},
        {"nginx-tls-client-lazy",
         server("ssl_conf_command Options KTLS;\nlisten 443 ssl;") +
             stream("listen 1 ssl;\nproxy_pass a:1;"),
         {4, 7},
         server("listen 80;")},
        {"nginx-tls-buffer",
         server("listen 443 ssl; ssl_conf_command Options PrioritizeChaCha,KTLS;\n"
                "ssl_buffer_size 4k;"),
         {4},
         server("listen 443 ssl; ssl_conf_command Options -KTLS; ssl_buffer_size 4k;")},
        {"nginx-tls-origin",
         "http { server { location / {\nproxy_pass https://a;\n} } }",
         {2},
         "http { server { location / { proxy_pass https://a;\n"
         "proxy_ssl_conf_command Options KTLS; } } }"},
        {"nginx-tls-origin-lazy",
         "http { server { location / {\nproxy_pass https://a;\n"
         "proxy_ssl_conf_command Options KTLS;\n} } }",
         {2},
         location("")},
        {"nginx-http2", server("listen 443 ssl http2;\nhttp2 on;"), {3, 4}, server("http2 off;")},
        {"nginx-unix-upstream",
         "http { upstream a { server unix:/run/a.sock; }\nserver { location / {\n"
         "proxy_pass http://a/x;\n} } }",
         {3},
         "http { upstream a { server unix:/run/a.sock; server 127.0.0.1:80; }\n"
         "server { location / { proxy_pass http://a; } } }"},
        {"nginx-dropped-answers",
         location("auth_request /auth;\nmirror /m;"),
         {5, 6},
         location("auth_request off; mirror off;")},
        {"nginx-stream-buffer",
         stream("proxy_pass a:1;\nproxy_buffer_size 32k;"),
         {3},
         stream("proxy_pass a:1; proxy_buffer_size 256k;")},
    };
}

}  // namespace libra::doctor
