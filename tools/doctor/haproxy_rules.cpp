// SPDX-License-Identifier: GPL-2.0-only
// What happens under the unsafe ones, and which counters show it, is in KNOWN_ISSUES.md; "not
// tried" is what no test has run. The sizes are those under which it was measured, see README.md.
#include "haproxy_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>

#include "size.h"

namespace libra::doctor {
namespace {

using Place = HaproxyPlace;
using Words = std::vector<std::string>;

constexpr std::uint64_t kDefaultBuffer = 16384;
constexpr std::uint64_t kTokenBuffer = 32768;
constexpr std::uint64_t kLargestTokenBuffer = 65536;

Hits hit(const HaproxyLine* line) {
    if (!line)
        return {};
    return {{line->at, line->text()}};
}

Hits lines_where(const std::vector<const HaproxyLine*>& lines,
                 const std::function<bool(const Words&)>& is) {
    Hits out;
    for (const HaproxyLine* line : lines) {
        if (is(line->words))
            out.push_back({line->at, line->text()});
    }
    return out;
}

Hits by_default(const Place& place, std::string_view what) {
    return {{place.section().title.at, std::string(what), true}};
}

bool has_word(const Words& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
}

// Behind the address of a bind, and the name and address of a server.
bool has_option(const Words& words, std::string_view option) {
    const std::size_t first = words[0] == "default-server" ? 1 : words[0] == "bind" ? 2 : 3;
    return words.size() > first && std::find(words.begin() + static_cast<std::ptrdiff_t>(first),
                                             words.end(), option) != words.end();
}

// As a whole name: res.body, and not res.body_len.
bool names(const std::string& text, std::string_view name) {
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
        const std::size_t end = at + name.size();
        const bool ends =
            end == text.size() ||
            (!std::isalnum(static_cast<unsigned char>(text[end])) && text[end] != '_');
        if (ends && (at == 0 || !std::isalnum(static_cast<unsigned char>(text[at - 1]))))
            return true;
    }
    return false;
}

Hits lines_naming(const Place& place, std::initializer_list<std::string_view> samples) {
    return lines_where(place.lines(), [&](const Words& words) {
        return std::ranges::any_of(words, [&](const std::string& word) {
            return std::ranges::any_of(
                samples, [&](std::string_view sample) { return names(word, sample); });
        });
    });
}

// filter NAME, where that is one of these.
Hits filters(const Place& place, std::initializer_list<std::string_view> wanted) {
    return lines_where(place.lines(), [&](const Words& words) {
        return words[0] == "filter" && words.size() > 1 &&
               std::ranges::find(wanted, words[1]) != wanted.end();
    });
}

Hits other_filters(const Place& place) {
    constexpr std::array<std::string_view, 5> kKnown = {"trace", "compression", "cache", "spoe",
                                                        "fcgi-app"};
    return lines_where(place.lines(), [&](const Words& words) {
        return words[0] == "filter" && words.size() > 1 && !words[1].starts_with("lua.") &&
               std::ranges::find(kKnown, words[1]) == kKnown.end();
    });
}

Hits joined(Hits first, Hits second) {
    std::ranges::move(second, std::back_inserter(first));
    return first;
}

Hits compressed(const Place& place) {
    Hits out = filters(place, {"compression", "comp-res"});
    for (const char* word : {"algo", "algo-res"})
        out = joined(std::move(out), hit(place.find({"compression", word})));
    return out;
}

// The first one whose answer a check looks into.
Hits checks_that_read(const Place& place) {
    return lines_where(place.lines(), [](const Words& words) {
        if (words.size() < 3 || words[1] != "expect" ||
            (words[0] != "http-check" && words[0] != "tcp-check"))
            return false;
        return std::ranges::any_of(words, [](const std::string& word) {
            return word == "string" || word == "rstring" || word == "binary" || word == "rbinary" ||
                   word == "string-lf" || word == "binary-lf";
        });
    });
}

Hits lua(const Place& place) {
    return lines_where(place.lines(), [](const Words& words) {
        return std::ranges::any_of(
            words, [](const std::string& word) { return word.starts_with("lua."); });
    });
}

bool is_unix(const std::string& address) {
    return address.starts_with('/') || address.starts_with("unix@") ||
           address.starts_with("abns@") || address.starts_with("abnsz@") ||
           address.starts_with("sockpair@") || address.starts_with("uxst@");
}

// A bind may have several addresses, with commas between them.
bool any_address(const std::string& addresses, const std::function<bool(const std::string&)>& is) {
    for (std::size_t at = 0; at <= addresses.size();) {
        const std::size_t end = std::min(addresses.find(',', at), addresses.size());
        if (is(addresses.substr(at, end - at)))
            return true;
        at = end + 1;
    }
    return false;
}

Hits binds_where(const Place& place, const std::function<bool(const Words&)>& is) {
    return place.forwards() ? lines_where(place.binds(), is) : Hits();
}

Hits binds_at(const Place& place, const std::function<bool(const std::string& address)>& is) {
    return binds_where(place, [&](const Words& words) { return any_address(words[1], is); });
}

Hits retries(const Place& place) {
    const HaproxyLine* line = place.find({"retry-on"});
    const bool is_l7 =
        line && std::ranges::any_of(line->words.begin() + 1, line->words.end(),
                                    [](const std::string& word) {
                                        return word != "none" && word != "conn-failure";
                                    });
    return is_l7 ? hit(line) : Hits();
}

std::uint64_t buffer_size(const Place& place) {
    const HaproxyLine* line = place.config().global("tune.bufsize");
    return line && line->words.size() > 1 ? parse_size(line->words[1]).value_or(kDefaultBuffer)
                                          : kDefaultBuffer;
}

Hits buffer(const Place& place) {
    if (const HaproxyLine* line = place.config().global("tune.bufsize"))
        return hit(line);
    return by_default(place, "tune.bufsize 16384 (default)");
}

std::string cost_of_buffers(const Place& place) {
    const HaproxyLine* line = place.config().global("maxconn");
    const auto connections =
        line && line->words.size() > 1 ? parse_number(line->words[1]) : std::nullopt;
    if (!connections)
        return "2 × 32k for each connection that is being served";
    return fmt::format("2 × 32k for each of maxconn {}: up to {}", *connections,
                       format_size(product(2 * kTokenBuffer, *connections)));
}

bool splices(const Place& place) {
    return place.find({"option", "splice-auto"}) || place.find({"option", "splice-response"});
}

constexpr std::array kRules{
    HaproxyRule{{"haproxy-compression", kTokenUnsafe,
                 "compresses what is in HAProxy's memory: clients get well-formed, wrong bodies",
                 "no compression where a backend is attached, and let the origin compress"},
                [](const Place& place) { return place.is_http() ? compressed(place) : Hits(); }},
    HaproxyRule{
        {"haproxy-cache", kTokenUnsafe, "stores tokens in place of bodies: every hit is aborted",
         "no http-response cache-store; and restart HAProxy, which forgets what it stored"},
        [](const Place& place) {
            return joined(filters(place, {"cache"}),
                          hit(place.find({"http-response", "cache-store"})));
        }},
    HaproxyRule{{"haproxy-res-body", kTokenUnsafe,
                 "reads bodies that are not there: what a rule should refuse passes",
                 "no res.body nor res.payload where a backend is attached"},
                [](const Place& place) {
                    return lines_naming(place, {"res.body", "res.payload", "res.payload_lv"});
                }},
    HaproxyRule{{"haproxy-check-body", kTokenUnsafe,
                 "health checks of an upstream that a policy names read its answers: of 4096 bytes "
                 "or more they find nothing, or what an older check left",
                 "http-check expect status, a smaller answer, or port or addr of the check outside "
                 "of the policy"},
                checks_that_read},
    HaproxyRule{{"haproxy-lua", kTokenUnsafe, "Lua may read bodies (not tried)",
                 "no Lua where a backend is attached, unless it leaves bodies alone"},
                lua},
    HaproxyRule{{"haproxy-spoe", kTokenUnsafe, "sends parts of messages elsewhere (not tried)",
                 "no filter spoe where a backend is attached"},
                [](const Place& place) { return filters(place, {"spoe"}); }},
    HaproxyRule{{"haproxy-fcgi", kTokenUnsafe,
                 "no parser reads FastCGI, and what HAProxy makes of its bodies is not tried",
                 "name no such upstream in a policy"},
                [](const Place& place) {
                    return joined(filters(place, {"fcgi-app"}), hit(place.find({"use-fcgi-app"})));
                }},
    HaproxyRule{{"haproxy-filter", kTokenUnsafe, "a filter may read bodies (not tried)",
                 "no filter but trace where a backend is attached"},
                other_filters},
    HaproxyRule{{"haproxy-quic", kTokenUnsafe,
                 "HTTP/3 leaves by UDP, where Libra does not see it: clients may be sent tokens",
                 "no bind quic4@ or quic6@ for what an attached backend serves"},
                [](const Place& place) {
                    return binds_at(place, [](const std::string& address) {
                        return address.starts_with("quic");
                    });
                }},
    HaproxyRule{{"haproxy-unix-listener", kTokenUnsafe,
                 "what leaves by a Unix socket Libra does not see: its reader may be sent tokens",
                 "bind 127.0.0.1 instead, and name that in the policy"},
                [](const Place& place) { return binds_at(place, is_unix); }},
    HaproxyRule{{"haproxy-mptcp", kTokenUnsafe,
                 "what leaves by MPTCP Libra does not see: clients may be sent tokens",
                 "no bind mptcp@ for what an attached backend serves"},
                [](const Place& place) {
                    return binds_at(place, [](const std::string& address) {
                        return address.starts_with("mptcp");
                    });
                }},
    HaproxyRule{{"haproxy-retry", kRequestsUnsafe,
                 "sends a request's body again: its token was used the first time",
                 "retry-on conn-failure"},
                retries},
    HaproxyRule{{"haproxy-req-body", kRequestsUnsafe,
                 "reads request bodies that are not there: what a rule should refuse passes",
                 "no req.body, req.body_param, req.payload nor check_post"},
                [](const Place& place) {
                    return joined(lines_naming(place, {"req.body", "req.body_param", "req.payload",
                                                       "req.payload_lv"}),
                                  lines_where(place.lines(), [](const Words& words) {
                                      return has_word(words, "check_post");
                                  }));
                }},
    HaproxyRule{{"haproxy-compress-requests", kRequestsUnsafe,
                 "compresses what is in HAProxy's memory: servers get wrong bodies (not tried)",
                 "no compression algo-req, nor direction request or both"},
                [](const Place& place) {
                    return joined(filters(place, {"comp-req"}),
                                  hit(place.find({"compression", "algo-req"})));
                }},
    HaproxyRule{{"haproxy-fast-open", kRequestsUnsafe,
                 "what goes to a server with the SYN cannot be redeemed: the connection is aborted",
                 "no tfo on server lines; on bind lines it does no harm"},
                [](const Place& place) {
                    return lines_where(place.servers(),
                                       [](const Words& words) { return has_option(words, "tfo"); });
                }},
    HaproxyRule{
        {"haproxy-small-buffers", kTokenSlow,
         "messages beyond one buffer of 16 KB are read in small parts", "tune.bufsize 32768"},
        [](const Place& place) {
            return place.forwards() && buffer_size(place) < kTokenBuffer ? buffer(place) : Hits();
        },
        cost_of_buffers},
    HaproxyRule{
        {"haproxy-large-buffers", kTokenSlow,
         "with much larger buffers HAProxy copies payload in user space", "tune.bufsize 32768"},
        [](const Place& place) {
            return place.forwards() && buffer_size(place) > kLargestTokenBuffer ? buffer(place)
                                                                                : Hits();
        }},
    HaproxyRule{{"haproxy-tiny-buffers", kLazySlow,
                 "buffers smaller than 16k are not in payload memory, and of uneven ones a part "
                 "of a page is copied",
                 "tune.bufsize 16384 (the default); 262144 if most bodies are of several MB"},
                [](const Place& place) {
                    const std::uint64_t size = buffer_size(place);
                    return place.forwards() && (size < kDefaultBuffer || size % kPage)
                               ? buffer(place)
                               : Hits();
                }},
    HaproxyRule{{"haproxy-no-splice", kLazySlow,
                 "for plain HTTP HAProxy's own splicing gains more than lazy mode, from 64 KB on",
                 "option splice-response, and option splice-request"},
                [](const Place& place) {
                    return place.is_http() && place.forwards() && !splices(place)
                               ? by_default(place, "no option splice-response")
                               : Hits();
                }},
    HaproxyRule{
        {"haproxy-splice", kTokenSlow,
         "Libra does not see what HAProxy splices by itself; from 256 KB on that gains more "
         "than token mode, at 16 KB less",
         "no option splice-response, if most bodies are smaller than 64 KB"},
        [](const Place& place) {
            return joined(hit(place.find({"option", "splice-auto"})),
                          hit(place.find({"option", "splice-response"})));
        }},
    HaproxyRule{{"haproxy-tls-client", kTokenSlow | kLazySlow,
                 "HAProxy encrypts in user space: all payload is read; in token mode nothing is "
                 "kept in the kernel for its domain while such a client is connected",
                 "a HAProxy of its own for TLS, or TLS that ends before it"},
                [](const Place& place) {
                    return binds_where(place,
                                       [](const Words& words) { return has_option(words, "ssl"); });
                }},
    HaproxyRule{{"haproxy-tls-server", kTokenSlow | kLazySlow,
                 "HAProxy decrypts in user space: all payload is read",
                 "server ... without ssl, where the way to it is trusted"},
                [](const Place& place) {
                    return lines_where(place.servers(),
                                       [](const Words& words) { return has_option(words, "ssl"); });
                }},
    HaproxyRule{{"haproxy-http2", kTokenSlow,
                 "no parser reads HTTP/2: while such a client is connected, nothing is kept in the "
                 "kernel for its domain",
                 "alpn http/1.1, a HAProxy of its own for HTTP/2, or lazy mode"},
                [](const Place& place) {
                    return binds_where(place, [](const Words& words) {
                        const auto is_h2 = [](const std::string& word) {
                            return names(word, "h2");
                        };
                        return std::ranges::any_of(words.begin() + 2, words.end(), is_h2);
                    });
                }},
    HaproxyRule{{"haproxy-unix-server", kTokenSlow | kLazySlow,
                 "nothing is gained from servers on Unix sockets",
                 "a server at a TCP address, if its bodies are large"},
                [](const Place& place) {
                    return lines_where(place.servers(), [](const Words& words) {
                        return words[0] == "server" && words.size() > 2 && is_unix(words[2]);
                    });
                }},
};

}  // namespace

std::span<const HaproxyRule> haproxy_rules() {
    return kRules;
}

std::vector<Finding> check_haproxy(const HaproxyConfig& config) {
    Findings findings;
    for (const auto& section : config.sections) {
        if (!section->is_proxy())
            continue;
        const HaproxyPlace place(config, *section);
        for (const HaproxyRule& rule : haproxy_rules()) {
            for (Hit& hit : rule.look(place))
                findings.add(rule.rule, std::move(hit), rule.rule.instead,
                             rule.cost ? rule.cost(place) : "",
                             {section->title.at, section->title.text()});
        }
    }
    return findings.take();
}

}  // namespace libra::doctor
