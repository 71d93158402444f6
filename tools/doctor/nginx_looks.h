// SPDX-License-Identifier: GPL-2.0-only
// What the rules about nginx ask again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "nginx_place.h"
#include "rule.h"

namespace libra::doctor {

Hits hit(const NginxDirective* directive);
Hits hits(const std::vector<const NginxDirective*>& directives);
// Something that is so because nothing says otherwise.
Hits by_default(const NginxPlace& place, std::string_view what);

// The innermost level's of each name that is there at all.
Hits any_of(const NginxPlace& place, std::initializer_list<std::string_view> names);

// The listen directives of its server that have a parameter which this is true for.
Hits listens_with(const NginxPlace& place,
                  const std::function<bool(std::string_view parameter)>& is);

bool has_argument(const NginxDirective& directive, std::string_view argument);

// ssl_conf_command Options KTLS, or proxy_ssl_conf_command.
bool has_kernel_tls(const NginxPlace& place, std::string_view directive);

// The addresses that its handler goes to: those of its upstream block, or its argument.
std::vector<std::string_view> upstreams(const NginxPlace& place);
bool all_unix(const std::vector<std::string_view>& addresses);

std::optional<std::uint64_t> size_of(const NginxDirective* directive, std::size_t argument = 0);

// worker_connections.
std::uint64_t connections(const NginxPlace& place);

}  // namespace libra::doctor
