// SPDX-License-Identifier: GPL-2.0-only
#include "nginx_place.h"

#include <algorithm>
#include <array>

namespace libra::doctor {
namespace {

constexpr std::array kHandlers = {"proxy_pass", "fastcgi_pass", "uwsgi_pass",
                                  "scgi_pass",  "grpc_pass",    "memcached_pass"};

// An if in a location is a location of its own once it says more than these.
constexpr std::array kOnlyRewrites = {"return", "rewrite", "set", "break"};

const NginxDirective* last_of(const std::vector<NginxDirective>& block, std::string_view name) {
    const auto it = std::find_if(block.rbegin(), block.rend(),
                                 [name](const auto& directive) { return directive.name == name; });
    return it == block.rend() ? nullptr : &*it;
}

const NginxDirective* handler_of(const NginxDirective& block) {
    for (const char* name : kHandlers) {
        if (const NginxDirective* handler = last_of(block.block, name))
            return handler;
    }
    return nullptr;
}

bool has_settings(const NginxDirective& block) {
    return std::ranges::any_of(block.block, [](const NginxDirective& directive) {
        return std::ranges::find(kOnlyRewrites, directive.name) == kOnlyRewrites.end();
    });
}

class Walk {
  public:
    explicit Walk(const NginxConfig& config) : config_(config) {}

    void http(const NginxDirective& block) {
        levels_.push_back(&block);
        for (const NginxDirective& child : block.block) {
            if (child.name == "server")
                server(child);
        }
        levels_.pop_back();
    }

    void stream(const NginxDirective& block) {
        levels_.push_back(&block);
        for (const NginxDirective& child : block.block) {
            const NginxDirective* handler = handler_of(child);
            if (child.name == "server" && handler)
                add(child, kStream, handler);
        }
        levels_.pop_back();
    }

    std::vector<NginxPlace> places;

  private:
    void add(const NginxDirective& block, NginxKind kind, const NginxDirective* handler) {
        NginxPlace place;
        place.kind = kind;
        place.levels = levels_;
        place.levels.push_back(&block);
        place.handler = handler;
        place.config = &config_;
        places.push_back(std::move(place));
    }

    void server(const NginxDirective& block) {
        levels_.push_back(&block);
        for (const NginxDirective& child : block.block) {
            if (child.name == "location")
                location(child, nullptr);
        }
        levels_.pop_back();
    }

    // Only what has no name of its own, as an if, inherits the handler.
    void location(const NginxDirective& block, const NginxDirective* inherited) {
        const NginxDirective* handler = handler_of(block);
        if (!handler)
            handler = inherited;
        if (!inherited || has_settings(block))
            add(block, handler ? kForwards : kLocal, handler);
        levels_.push_back(&block);
        for (const NginxDirective& child : block.block) {
            if (child.name == "location")
                location(child, nullptr);
            else if (child.name == "if" || child.name == "limit_except")
                location(child, handler);
        }
        levels_.pop_back();
    }

    const NginxConfig& config_;
    std::vector<const NginxDirective*> levels_;
};

}  // namespace

const NginxDirective* NginxPlace::find(std::string_view name) const {
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
        if (const NginxDirective* directive = last_of((*level)->block, name))
            return directive;
    }
    return nullptr;
}

std::vector<const NginxDirective*> NginxPlace::all(std::string_view name) const {
    std::vector<const NginxDirective*> found;
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
        for (const NginxDirective& directive : (*level)->block) {
            if (directive.name == name)
                found.push_back(&directive);
        }
        if (!found.empty())
            break;
    }
    return found;
}

std::string_view NginxPlace::value(std::string_view name) const {
    const NginxDirective* directive = find(name);
    return directive && !directive->arguments.empty() ? directive->arguments[0]
                                                      : std::string_view();
}

const NginxDirective* NginxPlace::on(std::string_view name) const {
    return value(name) == "on" ? find(name) : nullptr;
}

const NginxDirective* NginxPlace::not_off(std::string_view name) const {
    return value(name) == "off" ? nullptr : find(name);
}

std::string_view NginxPlace::module() const {
    const std::string_view name = handler ? std::string_view(handler->name) : "proxy_pass";
    return name.substr(0, name.rfind('_'));
}

const NginxDirective* NginxPlace::of_handler(std::string_view suffix) const {
    return find(std::string(module()).append(suffix));
}

const NginxDirective* NginxPlace::server() const {
    const auto it = std::ranges::find(levels, "server", &NginxDirective::name);
    return it == levels.end() ? nullptr : *it;
}

const NginxDirective* NginxPlace::main(std::string_view name) const {
    if (const NginxDirective* directive = last_of(config->main, name))
        return directive;
    const NginxDirective* events = last_of(config->main, "events");
    return events ? last_of(events->block, name) : nullptr;
}

std::vector<NginxPlace> nginx_places(const NginxConfig& config) {
    Walk walk(config);
    for (const NginxDirective& directive : config.main) {
        if (directive.name == "http")
            walk.http(directive);
        else if (directive.name == "stream")
            walk.stream(directive);
    }
    return std::move(walk.places);
}

}  // namespace libra::doctor
