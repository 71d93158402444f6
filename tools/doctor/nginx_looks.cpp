// SPDX-License-Identifier: GPL-2.0-only
#include "nginx_looks.h"

#include <algorithm>
#include <cstdint>

#include "size.h"

namespace libra::doctor {

Hits hit(const NginxDirective* directive) {
    if (!directive)
        return {};
    return {{directive->at, directive->text()}};
}

Hits hits(const std::vector<const NginxDirective*>& directives) {
    Hits out;
    for (const NginxDirective* directive : directives)
        out.push_back({directive->at, directive->text()});
    return out;
}

Hits by_default(const NginxPlace& place, std::string_view what) {
    const NginxDirective& where = place.handler ? *place.handler : place.self();
    return {{where.at, std::string(what), true}};
}

Hits any_of(const NginxPlace& place, std::initializer_list<std::string_view> names) {
    Hits out;
    for (const std::string_view name : names) {
        Hits some = hits(place.all(name));
        std::ranges::move(some, std::back_inserter(out));
    }
    return out;
}

Hits listens_with(const NginxPlace& place,
                  const std::function<bool(std::string_view parameter)>& is) {
    Hits out;
    const NginxDirective* server = place.server();
    if (!server)
        return out;
    for (const NginxDirective& directive : server->block) {
        if (directive.name == "listen" && std::ranges::any_of(directive.arguments, is))
            out.push_back({directive.at, directive.text()});
    }
    return out;
}

bool has_argument(const NginxDirective& directive, std::string_view argument) {
    return std::ranges::find(directive.arguments, argument) != directive.arguments.end();
}

bool has_kernel_tls(const NginxPlace& place, std::string_view directive) {
    return std::ranges::any_of(place.all(directive), [](const NginxDirective* command) {
        return std::ranges::any_of(command->arguments, [](const std::string& argument) {
            return argument.find("KTLS") != std::string::npos &&
                   argument.find("-KTLS") == std::string::npos;
        });
    });
}

std::vector<std::string_view> upstreams(const NginxPlace& place) {
    if (!place.handler || place.handler->arguments.empty())
        return {};
    std::string_view target = place.handler->arguments[0];
    if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos)
        target.remove_prefix(scheme + 3);
    const std::string_view name = target.substr(0, target.find('/'));
    for (const NginxDirective& block : place.levels.front()->block) {
        if (block.name != "upstream" || !has_argument(block, name))
            continue;
        std::vector<std::string_view> addresses;
        for (const NginxDirective& server : block.block) {
            if (server.name == "server" && !server.arguments.empty())
                addresses.push_back(server.arguments[0]);
        }
        return addresses;
    }
    return {target};
}

bool all_unix(const std::vector<std::string_view>& addresses) {
    return !addresses.empty() && std::ranges::all_of(addresses, [](std::string_view address) {
        return address.starts_with("unix:");
    });
}

std::optional<std::uint64_t> size_of(const NginxDirective* directive, std::size_t argument) {
    if (!directive || directive->arguments.size() <= argument)
        return {};
    return parse_size(directive->arguments[argument]);
}

std::uint64_t connections(const NginxPlace& place) {
    constexpr std::uint64_t kDefault = 512;
    const NginxDirective* directive = place.main("worker_connections");
    return size_of(directive).value_or(kDefault);
}

}  // namespace libra::doctor
