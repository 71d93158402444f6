// SPDX-License-Identifier: GPL-2.0-only
// What is exact, and makes Libra gain less than it could, or nothing. The sizes are those under
// which it was measured, see README.md.
#include <fmt/format.h>

#include <array>

#include "nginx_looks.h"
#include "nginx_rules.h"
#include "size.h"

namespace libra::doctor {
namespace {

using Place = NginxPlace;

// Smaller ones are not in payload memory, unless libra-malloc.so is told so.
constexpr std::uint64_t kSmallestBlock = 16384;
constexpr std::uint64_t kLarge = 65536;

bool is_tls(std::string_view parameter) {
    return parameter == "ssl";
}

bool is_buffered(const Place& place) {
    const NginxDirective* directive = place.of_handler("_buffering");
    return !directive || !has_argument(*directive, "off");
}

bool is_request_buffered(const Place& place) {
    const NginxDirective* directive = place.of_handler("_request_buffering");
    return !directive || !has_argument(*directive, "off");
}

bool has_buffers(const Place& place) {
    return place.module() != "grpc" && place.module() != "memcached";
}

Hits small_buffers(const Place& place) {
    if (!has_buffers(place) || !is_buffered(place))
        return {};
    const NginxDirective* directive = place.of_handler("_buffers");
    if (!directive)
        return by_default(place, fmt::format("{}_buffers 8 4k (default)", place.module()));
    const auto size = size_of(directive, 1);
    return size && *size < kSmallestBlock ? hit(directive) : Hits();
}

std::string cost_of_buffers(const Place& place) {
    constexpr std::uint64_t kEach = 16 * kLarge + kSmallestBlock;
    return fmt::format(
        "16 × 64k + 16k for each of worker_connections {} whose client is slow: up to {} in each "
        "worker process",
        connections(place), format_size(product(kEach, connections(place))));
}

Hits uneven_buffers(const Place& place) {
    Hits out;
    const std::array<std::pair<const NginxDirective*, std::size_t>, 2> sizes{
        {{place.of_handler("_buffers"), 1}, {place.of_handler("_buffer_size"), 0}}};
    for (const auto& [directive, argument] : sizes) {
        const auto size = size_of(directive, argument);
        if (size && *size % kPage)
            out.push_back({directive->at, directive->text()});
    }
    return out;
}

Hits small_unbuffered(const Place& place) {
    if (!has_buffers(place) || is_buffered(place))
        return {};
    const NginxDirective* directive = place.of_handler("_buffer_size");
    if (!directive)
        return by_default(
            place, fmt::format("{0}_buffering off, {0}_buffer_size 4k (default)", place.module()));
    const auto size = size_of(directive);
    return size && *size < kLarge ? hit(directive) : Hits();
}

std::string cost_of_unbuffered(const Place& place) {
    return fmt::format("512k for each of worker_connections {}: up to {} in each worker process",
                       connections(place), format_size(product(8 * kLarge, connections(place))));
}

Hits temporary_files(const Place& place) {
    if (!has_buffers(place) || !is_buffered(place))
        return {};
    const NginxDirective* directive = place.of_handler("_max_temp_file_size");
    if (!directive)
        return by_default(place,
                          fmt::format("{}_max_temp_file_size 1024m (default)", place.module()));
    return size_of(directive) == 0 ? Hits() : hit(directive);
}

Hits small_body_buffer(const Place& place) {
    if (is_request_buffered(place))
        return {};
    const NginxDirective* directive = place.find("client_body_buffer_size");
    if (!directive)
        return by_default(place, "client_body_buffer_size 8k (default)");
    const auto size = size_of(directive);
    return size && *size < kSmallestBlock ? hit(directive) : Hits();
}

std::string cost_of_body_buffer(const Place& place) {
    return fmt::format(
        "64k for each of worker_connections {} that uploads: up to {} in each "
        "worker process",
        connections(place), format_size(product(kLarge, connections(place))));
}

Hits closes_connections(const Place& place) {
    if (place.module() != "proxy")
        return {};
    const NginxDirective* directive = place.find("proxy_http_version");
    if (!directive)
        return by_default(place, "proxy_http_version 1.0 (default)");
    return has_argument(*directive, "1.0") ? hit(directive) : Hits();
}

bool goes_to_https(const Place& place) {
    return place.module() == "proxy" && !place.handler->arguments.empty() &&
           place.handler->arguments[0].starts_with("https://");
}

Hits http2(const Place& place) {
    Hits out = listens_with(place, [](std::string_view parameter) { return parameter == "http2"; });
    for (Hit& more : hit(place.on("http2")))
        out.push_back(std::move(more));
    return out;
}

Hits small_stream_buffer(const Place& place) {
    const NginxDirective* directive = place.find("proxy_buffer_size");
    if (!directive)
        return by_default(place, "proxy_buffer_size 16k (default)");
    const auto size = size_of(directive);
    return size && *size < kLarge ? hit(directive) : Hits();
}

std::string cost_of_stream_buffer(const Place& place) {
    return fmt::format(
        "256k in each direction for each of worker_connections {}: up to {} in each worker process",
        connections(place), format_size(product(8 * kLarge, connections(place))));
}

constexpr std::array kRules{
    NginxRule{{"nginx-small-buffers", kTokenSlow | kLazySlow,
               "small buffers make small reads, and what is smaller than 16k is not in payload "
               "memory",
               "@_buffers 16 64k; @_busy_buffers_size 512k; @_buffer_size 16k; or, for lazy mode, "
               "LIBRA_MALLOC_MIN=4096 in nginx's environment"},
              kForwards,
              small_buffers,
              cost_of_buffers},
    NginxRule{{"nginx-uneven-buffers", kLazySlow,
               "only whole pages of 4k stay in the kernel: the last part of each buffer is copied",
               "a multiple of 4k"},
              kForwards | kStream,
              uneven_buffers},
    NginxRule{{"nginx-small-unbuffered", kTokenSlow | kLazySlow,
               "without buffering the whole body goes through this one buffer",
               "@_buffer_size 512k; @_buffers 16 64k; @_busy_buffers_size 512k; (nginx wants the "
               "latter two for so large a buffer, and allocates none of them)"},
              kForwards,
              small_unbuffered,
              cost_of_unbuffered},
    NginxRule{{"nginx-temporary-files", kTokenSlow | kLazySlow,
               "what a slow client has not taken yet is read, and written to a file",
               "@_max_temp_file_size 0; a slow client then holds its connection to the origin"},
              kForwards,
              temporary_files},
    NginxRule{{"nginx-upload-files", kLazySlow,
               "uploads larger than client_body_buffer_size are read, and written to a file",
               "@_request_buffering off; client_body_buffer_size 64k; a request is then not sent "
               "again to another upstream"},
              kForwards,
              [](const Place& place) {
                  if (!is_request_buffered(place) || !has_buffers(place))
                      return Hits();
                  const NginxDirective* directive = place.of_handler("_request_buffering");
                  return directive ? hit(directive)
                                   : by_default(place, fmt::format("{}_request_buffering on "
                                                                   "(default)",
                                                                   place.module()));
              },
              cost_of_body_buffer},
    NginxRule{{"nginx-small-body-buffer", kLazySlow,
               "uploads go through this buffer, and what is smaller than 16k is not in payload "
               "memory",
               "client_body_buffer_size 64k;"},
              kForwards,
              small_body_buffer,
              cost_of_body_buffer},
    NginxRule{{"nginx-http-1.0", kTokenSlow | kLazySlow,
               "opens a connection to the origin for each request, and reads bodies until it "
               "closes",
               "proxy_http_version 1.1; proxy_set_header Connection \"\"; with keepalive 32; in "
               "the upstream block (not where WebSockets are upgraded); one proxy_set_header here "
               "drops those of outer levels (Host, X-Forwarded-For): repeat them"},
              kForwards,
              closes_connections},
    NginxRule{{"nginx-tls-client", kTokenSlow,
               "nginx encrypts in user space: such a client is sent bytes, and while it is "
               "connected, nothing is kept in the kernel for its domain",
               "ssl_conf_command Options KTLS; with sysctl net.libra.tls=1; or an nginx of its own "
               "for TLS"},
              kForwards | kStream,
              [](const Place& place) {
                  return has_kernel_tls(place, "ssl_conf_command") ? Hits()
                                                                   : listens_with(place, is_tls);
              }},
    NginxRule{{"nginx-tls-client-lazy", kLazySlow,
               "nginx copies what it encrypts into a buffer of its own first, with kernel TLS as "
               "well: lazy mode gains nothing here",
               "token mode with ssl_conf_command Options KTLS; and sysctl net.libra.tls=1; or TLS "
               "that ends before nginx"},
              kForwards | kStream,
              [](const Place& place) { return listens_with(place, is_tls); }},
    NginxRule{{"nginx-tls-buffer", kTokenSlow,
               "tokens are cut where this buffer ends, and each record is sent by itself",
               "ssl_buffer_size 16k; (the default)"},
              kForwards,
              [](const Place& place) {
                  const NginxDirective* directive = place.find("ssl_buffer_size");
                  const auto size = size_of(directive);
                  const bool is_small = size && *size < kSmallestBlock;
                  return is_small && has_kernel_tls(place, "ssl_conf_command") &&
                                 !listens_with(place, is_tls).empty()
                             ? hit(directive)
                             : Hits();
              }},
    NginxRule{{"nginx-tls-origin", kTokenSlow,
               "nginx decrypts in user space: such responses are read, and sent as bytes",
               "proxy_ssl_conf_command Options KTLS; with sysctl net.libra.tls=1 (TLS 1.2 with "
               "OpenSSL 3.0: proxy_ssl_protocols TLSv1.2;)"},
              kForwards,
              [](const Place& place) {
                  return goes_to_https(place) && !has_kernel_tls(place, "proxy_ssl_conf_command")
                             ? hit(place.handler)
                             : Hits();
              }},
    NginxRule{
        {"nginx-tls-origin-lazy", kLazySlow,
         "what is decrypted is copied, by kernel TLS as well: lazy mode gains nothing here",
         "http:// where the way to the origin is trusted, or token mode with "
         "proxy_ssl_conf_command Options KTLS;"},
        kForwards,
        [](const Place& place) { return goes_to_https(place) ? hit(place.handler) : Hits(); }},
    NginxRule{{"nginx-http2", kTokenSlow,
               "no parser reads HTTP/2: while such a client is connected, nothing is kept in the "
               "kernel for its domain",
               "HTTP/1.1 for clients, an nginx of its own for HTTP/2, or lazy mode"},
              kForwards,
              http2},
    NginxRule{{"nginx-unix-upstream", kTokenSlow | kLazySlow,
               "nothing is gained from upstreams on Unix sockets",
               "an upstream at a TCP address, if its bodies are large"},
              kForwards | kStream,
              [](const Place& place) {
                  return all_unix(upstreams(place)) ? hit(place.handler) : Hits();
              }},
    NginxRule{{"nginx-dropped-answers", kTokenSlow,
               "the answers to these subrequests are kept in the kernel and dropped, which looks "
               "like lost payload (anchors_expired) and may stop token mode (fallback_unmet)",
               "name only the upstreams of real traffic in the policy"},
              kForwards,
              [](const Place& place) {
                  Hits out = hit(place.not_off("auth_request"));
                  for (Hit& more : hit(place.not_off("mirror")))
                      out.push_back(std::move(more));
                  return out;
              }},
    NginxRule{{"nginx-stream-buffer", kTokenSlow | kLazySlow,
               "all bytes go through a buffer of this size, in each direction",
               "proxy_buffer_size 256k;"},
              kStream,
              small_stream_buffer,
              cost_of_stream_buffer},
};

}  // namespace

std::span<const NginxRule> nginx_slow_rules() {
    return kRules;
}

}  // namespace libra::doctor
