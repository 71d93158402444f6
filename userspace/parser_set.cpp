// SPDX-License-Identifier: GPL-2.0-only
#include "parser_set.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "kernel_support.h"

namespace libra {
namespace {
constexpr const char* kUnknown = "unknown";
}  // namespace

std::vector<std::string> ParserBackend::names() const {
    std::vector<std::string> names;
    for (const KnownParser& parser : list())
        names.push_back(parser.info.name);
    return names;
}

Result<ParserSet::Parsers::iterator> ParserSet::find(std::string_view name) {
    const auto at = std::find_if(parsers_.begin(), parsers_.end(), [name](const Parser& parser) {
        return parser.about().info.name == name;
    });
    if (at != parsers_.end())
        return at;
    return Error(fmt::format("there is no parser '{}'", name), ENOENT);
}

Status ParserSet::save(const KnownParser* next) const {
    if (!state_)
        return Ok{};
    std::vector<KnownParser> all = list();
    if (next)
        all.push_back(*next);
    return state_->save(all);
}

// What is told too much does no harm.
void ParserSet::save_what_is() const {
    if (auto status = save(); !status)
        spdlog::warn("{}", status.error().message());
}

// Those that are pinned, with what the state file tells of them.
Status ParserSet::adopt() {
    if (!pins_)
        return Ok{};
    auto told = state_->load();
    if (!told) {
        spdlog::warn("{}; what is known of the last librad's parsers is their names",
                     told.error().message());
        told = std::vector<KnownParser>();
    }
    const auto names = pins_->parsers();
    if (!names)
        return names.error();
    for (const std::string& name : *names) {
        auto parser = Parser::open(name, pins_->parser_path(name));
        if (!parser)
            return std::move(parser).error();
        KnownParser about = parser->about();
        if (about.id == 0) {
            spdlog::warn("parser {}: somebody took it out of the kernel", name);
            if (auto status = parser->unpin(); !status)
                return status;
            continue;
        }
        const auto known = std::find_if(told->begin(), told->end(), [&](const KnownParser& each) {
            return each.id == about.id && each.info.name == name;
        });
        if (known != told->end()) {
            about = *known;
        } else {
            about.info.version = kUnknown;
            about.origin = kUnknown;
        }
        spdlog::info("parser {} {}: goes on ({})", name, about.info.version, about.origin);
        parser->tell(std::move(about));
        parsers_.push_back(std::move(parser).value());
    }
    return Ok{};
}

// What a client put there stays, even in the place of one that is built in.
void ParserSet::bring_up_to_date(Parser& parser, const ParserObject& object) {
    const KnownParser& there = parser.about();
    const bool known = !there.build.empty();
    if (known && (there.build == object.build || there.origin != object.origin))
        return;
    if (auto status = replace(parser, object); !status)
        spdlog::warn("parser {} {} goes on, {} does not take its place: {}", there.info.name,
                     there.info.version, object.info.version, status.error().message());
}

Status ParserSet::begin(const std::vector<ParserObject>& objects) {
    if (auto status = adopt(); !status)
        return status;
    for (const ParserObject& object : objects) {
        if (const auto at = find(object.info.name))
            bring_up_to_date(**at, object);
        else if (auto status = add(object); !status)
            return status;
    }
    save_what_is();
    return Ok{};
}

Status ParserSet::add(const ParserObject& object) {
    const ParserInfo& info = object.info;
    if (find(info.name))
        return Error(fmt::format("parser {} is loaded already; replace it", info.name), EEXIST);
    auto prepared = PreparedParser::load(object);
    if (!prepared)
        return std::move(prepared).error();
    if (auto status = save(&prepared->about); !status)
        return status;
    auto parser = Parser::enter(std::move(prepared).value(),
                                pins_ ? pins_->parser_path(info.name) : std::string());
    if (!parser) {
        save_what_is();
        return std::move(parser).error();
    }
    parsers_.push_back(std::move(parser).value());
    spdlog::info("parser {} {}: registered ({})", info.name, info.version, object.origin);
    return Ok{};
}

Status ParserSet::replace(Parser& parser, const ParserObject& object) {
    auto prepared = PreparedParser::load(object);
    if (!prepared)
        return std::move(prepared).error();
    if (auto status = save(&prepared->about); !status)
        return status;
    const std::string before = parser.about().info.version;
    const auto status = parser.replace(std::move(prepared).value());
    save_what_is();
    if (status)
        spdlog::info("parser {}: {} in place of {} ({})", object.info.name, object.info.version,
                     before, object.origin);
    return status;
}

std::vector<KnownParser> ParserSet::list() const {
    std::vector<KnownParser> all;
    for (const Parser& parser : parsers_)
        all.push_back(parser.about());
    return all;
}

Result<KnownParser> ParserSet::load(const std::string& path) {
    const auto object = read_parser(path);
    if (!object)
        return object.error();
    if (auto status = add(*object); !status)
        return std::move(status).error();
    return parsers_.back().about();
}

Result<KnownParser> ParserSet::replace(const std::string& name, const std::string& path) {
    const auto at = find(name);
    if (!at)
        return at.error();
    const auto object = read_parser(path);
    if (!object)
        return object.error();
    if (object->info.name != name)
        return Error(fmt::format("{} holds parser {}, not {}", path, object->info.name, name),
                     EINVAL);
    if (auto status = replace(**at, *object); !status)
        return std::move(status).error();
    return (*at)->about();
}

Status ParserSet::unload(const std::string& name) {
    const auto at = find(name);
    if (!at)
        return at.error();
    // Those of its connections that are left pass from then on. What is on its way to one of
    // them would be a fail-stop, so it gets the time to leave.
    if (!wait_for_anchors(kTokensLeave))
        spdlog::warn("parser {} goes while payload is kept in the kernel", name);
    if (auto status = (*at)->unpin(); !status)
        return status;
    parsers_.erase(*at);
    save_what_is();
    spdlog::info("parser {}: taken away", name);
    return Ok{};
}

}  // namespace libra
