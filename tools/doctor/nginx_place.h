// SPDX-License-Identifier: GPL-2.0-only
// What is in effect in a location: the innermost level that has a directive decides.
#pragma once

#include <string_view>
#include <vector>

#include "nginx_config.h"

namespace libra::doctor {

// Bits, so that a rule can be about several.
enum NginxKind : unsigned {
    kForwards = 1,  // a location of http that has an upstream
    kStream = 2,    // a server of stream that has one
    kLocal = 4,     // a location that has none: it answers by itself
};

class NginxPlace {
  public:
    NginxKind kind = kLocal;
    std::vector<const NginxDirective*> levels;  // http or stream first, the location last
    const NginxDirective* handler = nullptr;    // proxy_pass, fastcgi_pass, ...
    const NginxConfig* config = nullptr;

    const NginxDirective& self() const { return *levels.back(); }
    // What it says at the innermost level, where that is once; nullptr if it is nowhere.
    const NginxDirective* find(std::string_view name) const;
    // All of the innermost level that has any.
    std::vector<const NginxDirective*> all(std::string_view name) const;
    // The first argument of find(), or "".
    std::string_view value(std::string_view name) const;
    // find(), if that says on.
    const NginxDirective* on(std::string_view name) const;
    // find(), if that says something else than off.
    const NginxDirective* not_off(std::string_view name) const;
    // find() of what the handler's module calls so: proxy_buffers, fastcgi_buffers, ...
    const NginxDirective* of_handler(std::string_view suffix) const;
    std::string_view module() const;
    // The server that it is in; nullptr outside of one.
    const NginxDirective* server() const;
    // A directive of the main level, or of events.
    const NginxDirective* main(std::string_view name) const;
};

// All places of http and stream that have a handler, or whose configuration is a location's.
std::vector<NginxPlace> nginx_places(const NginxConfig& config);

}  // namespace libra::doctor
