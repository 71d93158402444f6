// SPDX-License-Identifier: GPL-2.0-only
// Whatever works on bodies in nginx's own memory. What happens then, and which counters show it,
// is in KNOWN_ISSUES.md; "not tried" is what no test has run.
#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include "nginx_looks.h"
#include "nginx_rules.h"

namespace libra::doctor {
namespace {

using Place = NginxPlace;

bool names_variable(const NginxDirective& directive, std::string_view variable) {
    return std::ranges::any_of(directive.arguments, [variable](std::string_view text) {
        for (std::size_t at = text.find(variable); at != std::string_view::npos;
             at = text.find(variable, at + 1)) {
            const std::size_t end = at + variable.size();
            if (end == text.size() ||
                (!std::isalnum(static_cast<unsigned char>(text[end])) && text[end] != '_'))
                return true;
        }
        return false;
    });
}

bool names_request_body(const NginxDirective& directive) {
    return names_variable(directive, "$request_body") ||
           names_variable(directive, "${request_body}");
}

// In a log format that is used here, or in any directive of these levels.
Hits request_body_used(const Place& place) {
    Hits out;
    for (const NginxDirective* log : place.all("access_log")) {
        for (const NginxDirective& format : place.levels.front()->block) {
            if (format.name == "log_format" && !format.arguments.empty() &&
                log->arguments.size() > 1 && log->arguments[1] == format.arguments[0] &&
                names_request_body(format))
                out.push_back({format.at, format.text()});
        }
    }
    for (const NginxDirective* level : place.levels) {
        for (const NginxDirective& directive : level->block) {
            if (directive.name != "log_format" && names_request_body(directive))
                out.push_back({directive.at, directive.text()});
        }
    }
    return out;
}

Hits charset_converted(const Place& place) {
    const std::string_view from = place.value("source_charset");
    const std::string_view to = place.value("charset");
    if (to.empty() || to == "off")
        return {};
    if (!from.empty() && from != to)
        return hit(place.find("source_charset"));
    return hit(place.on("override_charset"));
}

// Off by HTTP's own rules for what may be sent again: POST needs more than the default.
Hits sent_to_the_next(const Place& place) {
    const NginxDirective* directive = place.of_handler("_next_upstream");
    if (!directive)
        return by_default(place, "proxy_next_upstream error timeout (default)");
    return has_argument(*directive, "off") ? Hits() : hit(directive);
}

Hits mirrored_with_bodies(const Place& place) {
    return place.value("mirror_request_body") == "off" ? Hits() : hit(place.not_off("mirror"));
}

Hits other_protocol(const Place& place) {
    return place.module() == "proxy" || all_unix(upstreams(place)) ? Hits() : hit(place.handler);
}

Hits stored(const Place& place) {
    Hits out;
    for (const char* suffix : {"_cache", "_store"}) {
        const NginxDirective* directive = place.of_handler(suffix);
        if (directive && !has_argument(*directive, "off"))
            out.push_back({directive->at, directive->text()});
    }
    return out;
}

constexpr std::array kRules{
    NginxRule{{"nginx-gzip", kTokenUnsafe,
               "compresses what is in nginx's memory: clients get well-formed, wrong bodies",
               "gzip off; where an upstream is attached, and let the origin compress"},
              kForwards,
              [](const Place& place) { return hit(place.on("gzip")); }},
    NginxRule{{"nginx-brotli", kTokenUnsafe, "compresses what is in nginx's memory (not tried)",
               "brotli off; zstd off; and let the origin compress"},
              kForwards,
              [](const Place& place) {
                  Hits out = hit(place.on("brotli"));
                  std::ranges::move(hit(place.on("zstd")), std::back_inserter(out));
                  return out;
              }},
    NginxRule{{"nginx-gunzip", kTokenUnsafe,
               "inflates what is in nginx's memory: the response is cut or missing", "gunzip off;"},
              kForwards,
              [](const Place& place) { return hit(place.on("gunzip")); }},
    NginxRule{{"nginx-sub-filter", kTokenUnsafe,
               "searches bodies that are not there: nothing is replaced, or the connection is "
               "aborted",
               "no sub_filter (nor subs_filter) where an upstream is attached"},
              kForwards,
              [](const Place& place) {
                  return any_of(place, {"sub_filter", "subs_filter"});
              }},
    NginxRule{
        {"nginx-ssi", kTokenUnsafe, "looks for commands in bodies that are not there", "ssi off;"},
        kForwards,
        [](const Place& place) { return hit(place.on("ssi")); }},
    NginxRule{{"nginx-charset", kTokenUnsafe,
               "converts bodies, and the token with them: clients get tokens",
               "charset alone, which only names it: no source_charset of another name, "
               "override_charset off;"},
              kForwards,
              charset_converted},
    NginxRule{{"nginx-image-filter", kTokenUnsafe, "decodes images from bodies (not tried)",
               "image_filter off;"},
              kForwards,
              [](const Place& place) { return hit(place.not_off("image_filter")); }},
    NginxRule{{"nginx-xslt", kTokenUnsafe, "parses XML from bodies (not tried)",
               "no xslt_stylesheet where an upstream is attached"},
              kForwards,
              [](const Place& place) { return any_of(place, {"xslt_stylesheet"}); }},
    NginxRule{{"nginx-store", kTokenUnsafe,
               "stores tokens in place of bodies: every hit is aborted, and what was stored stays "
               "wrong for ever",
               "@_cache off; @_store off; and delete what was stored while attached"},
              kForwards,
              stored},
    NginxRule{{"nginx-srcache", kTokenUnsafe, "stores tokens in place of bodies (not tried)",
               "no srcache_store where an upstream is attached"},
              kForwards,
              [](const Place& place) { return any_of(place, {"srcache_store"}); }},
    NginxRule{{"nginx-force-ranges", kTokenUnsafe, "cuts a range out of a body, without its token",
               "@_force_ranges off; ranges that the origin answers are exact"},
              kForwards,
              [](const Place& place) {
                  const NginxDirective* directive = place.of_handler("_force_ranges");
                  return directive && has_argument(*directive, "on") ? hit(directive) : Hits();
              }},
    NginxRule{{"nginx-lua-body", kTokenUnsafe, "gives bodies to Lua (not tried)",
               "no body_filter_by_lua where an upstream is attached"},
              kForwards,
              [](const Place& place) {
                  return any_of(place, {"body_filter_by_lua", "body_filter_by_lua_block",
                                        "body_filter_by_lua_file"});
              }},
    NginxRule{{"nginx-lua", kTokenUnsafe,
               "Lua may read bodies: of subrequests (ngx.location.capture), or the request's "
               "(not tried)",
               "keep what Lua asks for out of the policy"},
              kForwards | kLocal,
              [](const Place& place) {
                  return any_of(place,
                                {"rewrite_by_lua", "rewrite_by_lua_block", "rewrite_by_lua_file",
                                 "access_by_lua", "access_by_lua_block", "access_by_lua_file",
                                 "content_by_lua", "content_by_lua_block", "content_by_lua_file"});
              }},
    NginxRule{{"nginx-js-body", kTokenUnsafe, "gives payload to njs (not tried)",
               "no js_body_filter, nor js_filter in stream, where an upstream is attached"},
              kForwards | kStream,
              [](const Place& place) {
                  return any_of(place, {"js_body_filter", "js_filter"});
              }},
    NginxRule{{"nginx-script", kTokenUnsafe,
               "a script may read bodies of subrequests, or the request's (not tried)",
               "keep what it asks for out of the policy"},
              kLocal,
              [](const Place& place) {
                  return any_of(place, {"js_content", "perl"});
              }},
    NginxRule{{"nginx-modsecurity", kTokenUnsafe,
               "its rules may read bodies, which are not there: what they should refuse passes "
               "(not tried)",
               "modsecurity off; where an upstream is attached"},
              kForwards,
              [](const Place& place) { return hit(place.on("modsecurity")); }},
    NginxRule{{"nginx-protocol", kTokenUnsafe,
               "no parser reads this protocol, and what nginx makes of its bodies is not tried",
               "name no such upstream in a policy"},
              kForwards,
              other_protocol},
    NginxRule{{"nginx-quic", kTokenUnsafe,
               "HTTP/3 leaves by UDP, where Libra does not see it: clients may be sent tokens",
               "no listen ... quic for what an attached upstream serves"},
              kForwards | kStream,
              [](const Place& place) {
                  return listens_with(place, [](std::string_view parameter) {
                      return parameter == "quic" || parameter == "http3";
                  });
              }},
    NginxRule{{"nginx-unix-listener", kTokenUnsafe,
               "what leaves by a Unix socket Libra does not see: its reader may be sent tokens",
               "listen at 127.0.0.1 instead, and name that in the policy"},
              kForwards | kStream,
              [](const Place& place) {
                  return listens_with(place, [](std::string_view parameter) {
                      return parameter.starts_with("unix:");
                  });
              }},
    NginxRule{{"nginx-mptcp", kTokenUnsafe,
               "what leaves by MPTCP Libra does not see: clients may be sent tokens",
               "no multipath for what an attached upstream serves"},
              kForwards | kStream,
              [](const Place& place) {
                  return listens_with(
                      place, [](std::string_view parameter) { return parameter == "multipath"; });
              }},
    NginxRule{{"nginx-next-upstream", kRequestsUnsafe,
               "sends a request's body to a second upstream: its token was used by the first",
               "@_next_upstream off;"},
              kForwards,
              sent_to_the_next},
    NginxRule{{"nginx-mirror", kRequestsUnsafe,
               "sends a request's body twice: one of the two upstreams loses its connection",
               "mirror off; or mirror_request_body off;"},
              kForwards,
              mirrored_with_bodies},
    NginxRule{{"nginx-request-body", kRequestsUnsafe,
               "reads the request's body from nginx's memory: it gets tokens", "no $request_body"},
              kForwards | kLocal,
              request_body_used},
    NginxRule{{"nginx-body-in-file", kRequestsUnsafe,
               "leaves request bodies in files for others to read: they get tokens",
               "client_body_in_file_only off;"},
              kForwards,
              [](const Place& place) { return hit(place.not_off("client_body_in_file_only")); }},
    NginxRule{{"nginx-dav", kRequestsUnsafe, "writes request bodies to files: tokens",
               "no dav_methods PUT at a listener that is attached"},
              kForwards | kLocal,
              [](const Place& place) {
                  const NginxDirective* directive = place.find("dav_methods");
                  return directive && has_argument(*directive, "PUT") ? hit(directive) : Hits();
              }},
};

}  // namespace

std::span<const NginxRule> nginx_unsafe_rules() {
    return kRules;
}

}  // namespace libra::doctor
