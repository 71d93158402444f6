// SPDX-License-Identifier: GPL-2.0-only
// What clients may ask of parsers.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "service.h"

namespace libra {
namespace {

Json to_json(const KnownParser& parser) {
    return {{"name", parser.info.name}, {"version", parser.info.version},
            {"abi", parser.info.abi},   {"keeps", parser.info.keeps},
            {"build", parser.build},    {"origin", parser.origin}};
}

}  // namespace

Status Service::check_parser(const std::string& name) const {
    const auto names = parsers_.names();
    if (std::find(names.begin(), names.end(), name) != names.end())
        return Ok{};
    return Error(fmt::format("unknown parser '{}'; loaded: {}", name, fmt::join(names, ", ")),
                 ENOENT);
}

// Those that are pinned are there; others went, with the file system or by somebody's hand.
void Service::say_what_has_no_parser(const PolicySet& set) const {
    for (const Policy& policy : set.policies()) {
        if (!check_parser(policy.request.parser))
            spdlog::warn("policy {}: its parser {} is not loaded, so that it attaches nothing",
                         policy.id, policy.request.parser);
    }
}

// The ids of policies that name it.
Json Service::users_of(const std::string& parser) const {
    Json ids = Json::array();
    for (const Policy& policy : set_.policies()) {
        if (policy.request.parser == parser)
            ids.push_back(policy.id);
    }
    return ids;
}

Json Service::list_parsers() const {
    Json parsers = Json::array();
    for (const KnownParser& parser : parsers_.list()) {
        Json entry = to_json(parser);
        entry["policies"] = users_of(parser.info.name);
        parsers.push_back(std::move(entry));
    }
    return Json{{"ok", true}, {"parsers", std::move(parsers)}, {"stays", parsers_.stay()}};
}

Result<Json> Service::load_parser(const ParserLoadRequest& request) {
    const auto loaded = parsers_.load(request.file);
    if (!loaded)
        return loaded.error();
    return Json{{"ok", true}, {"parser", to_json(*loaded)}, {"stays", parsers_.stay()}};
}

Result<Json> Service::replace_parser(const ParserReplaceRequest& request) {
    const auto replaced = parsers_.replace(request.name, request.file);
    if (!replaced)
        return replaced.error();
    return Json{{"ok", true}, {"parser", to_json(*replaced)}, {"stays", parsers_.stay()}};
}

Result<Json> Service::unload_parser(const ParserUnloadRequest& request) {
    const Json users = users_of(request.name);
    if (!users.empty())
        return Error(fmt::format("policies use parser {}: detach them first ({})", request.name,
                                 users.dump()),
                     EBUSY);
    if (auto status = parsers_.unload(request.name); !status)
        return std::move(status).error();
    return Json{{"ok", true}};
}

}  // namespace libra
