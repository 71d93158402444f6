// SPDX-License-Identifier: GPL-2.0-only
#include "cases.h"

namespace libra::doctor {
namespace {

// In a listen that forwards HTTP; it begins in line 5, and listen is in line 1.
std::string listen(const std::string& text) {
    return "listen a\n"
           "  mode http\n"
           "  bind 127.0.0.1:80\n"
           "  server s 127.0.0.1:8080\n" +
           text + "\n";
}

// A global section before it; it begins in line 2.
std::string global(const std::string& text) {
    return "global\n" + text + "\n" + listen("");
}

}  // namespace

std::vector<Case> haproxy_cases() {
    return {
        {"haproxy-compression",
         "defaults\nmode http\ncompression algo gzip\nbackend b\nserver s 127.0.0.1:80\n"
         "compression algo-res gzip\nfilter compression\n",
         {3, 6, 7},
         listen("no compression algo\ncompression type text/html")},
        {"haproxy-cache",
         listen("http-response cache-store c\nfilter cache c"),
         {5, 6},
         listen("http-request cache-use c")},
        {"haproxy-res-body",
         listen("http-response deny if { res.body -m sub x }\n"
                "log-format \"%[res.body,length] %[res.payload(0,4)]\""),
         {5, 6},
         listen("http-response set-header X '%[res.body_len]' # res.body")},
        {"haproxy-check-body",
         listen("http-check expect ! rstring dead"),
         {5},
         listen("http-check expect status 200")},
        {"haproxy-lua", listen("http-response lua.f"), {5}, "global\nlua-load /x.lua\n"},
        {"haproxy-spoe", listen("filter spoe engine e config c"), {5}, listen("filter trace")},
        {"haproxy-fcgi",
         listen("use-fcgi-app php\nfilter fcgi-app php"),
         {5, 6},
         "fcgi-app php\n  docroot /x\n"},
        {"haproxy-filter", listen("filter opentracing"), {5}, listen("filter trace name x")},
        {"haproxy-quic",
         listen("bind quic4@:443 ssl\nbind :444,quic4@:444 ssl"),
         {5, 6},
         listen("bind ipv4@:443")},
        {"haproxy-unix-listener",
         listen("bind /run/a.sock\nbind abns@a\nbind :81,/run/b.sock"),
         {5, 6, 7},
         "frontend stats\nmode http\nbind /run/a.sock\nstats enable\n"},
        {"haproxy-mptcp",
         listen("bind mptcp4@:80\nbind :81,mptcp4@:82"),
         {5, 6},
         listen("bind ipv4@:80")},
        {"haproxy-retry",
         listen("retry-on conn-failure empty-response"),
         {5},
         listen("retry-on conn-failure")},
        {"haproxy-req-body",
         listen("http-request deny if { req.body -m sub x }\nbalance url_param u check_post"),
         {5, 6},
         listen("http-request deny if { req.body_size gt 9 }")},
        {"haproxy-compress-requests",
         listen("compression algo-req gzip\nfilter comp-req"),
         {5, 6},
         listen("compression algo-res gzip")},
        {"haproxy-fast-open", listen("default-server tfo"), {5}, listen("bind :81 tfo")},
        {"haproxy-small-buffers", global("tune.bufsize 16384"), {2}, global("tune.bufsize 32768")},
        {"haproxy-large-buffers", global("tune.bufsize 262144"), {2}, global("tune.bufsize 64k")},
        {"haproxy-tiny-buffers", global("tune.bufsize 8192"), {2}, global("tune.bufsize 32768")},
        {"haproxy-no-splice",
         "defaults\nmode http\noption splice-auto\n" + listen("no option splice-auto"),
         {4},
         "defaults\noption splice-auto\n" + listen("")},
        {"haproxy-splice",
         listen("option splice-response"),
         {5},
         listen("option splice-response\nno option splice-response")},
        {"haproxy-tls-client", listen("bind :443 ssl crt x.pem"), {5}, listen("bind :81")},
        {"haproxy-tls-server",
         listen("server t 127.0.0.2:443 ssl verify none"),
         {5},
         listen("server ssl 127.0.0.2:80")},
        {"haproxy-http2",
         listen("bind :443 ssl alpn h2,http/1.1\nbind :81 proto h2"),
         {5, 6},
         listen("bind :443 ssl alpn http/1.1")},
        {"haproxy-unix-server",
         listen("server t unix@/run/t.sock"),
         {5},
         listen("server t 127.0.0.1:81")},
    };
}

}  // namespace libra::doctor
