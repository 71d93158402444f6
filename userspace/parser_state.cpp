// SPDX-License-Identifier: GPL-2.0-only
#include "parser_state.h"

#include <fmt/format.h>

#include <limits>

#include "kept_file.h"
#include "protocol.h"

namespace libra {
namespace {

constexpr std::uint32_t kFormat = 1;

bool read(const Json& json, const char* name, std::string& out) {
    const auto it = json.find(name);
    if (it == json.end() || !it->is_string())
        return false;
    out = it->get<std::string>();
    return true;
}

bool read(const Json& json, const char* name, std::uint32_t& out) {
    const auto it = json.find(name);
    if (it == json.end() || !it->is_number_unsigned() ||
        it->get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
        return false;
    out = it->get<std::uint32_t>();
    return true;
}

}  // namespace

std::string format_parsers(const std::vector<KnownParser>& parsers) {
    Json all = Json::array();
    for (const KnownParser& parser : parsers)
        all.push_back({{"name", parser.info.name},
                       {"version", parser.info.version},
                       {"abi", parser.info.abi},
                       {"keeps", parser.info.keeps},
                       {"origin", parser.origin},
                       {"build", parser.build},
                       {"id", parser.id}});
    return to_line({{"format", kFormat}, {"parsers", std::move(all)}});
}

Result<std::vector<KnownParser>> parse_parsers(std::string_view text) {
    const Error malformed("it is not as librad wrote it", EINVAL);
    const Json json = Json::parse(text, nullptr, false);
    std::uint32_t format = 0;
    if (json.is_discarded() || !json.is_object() || !read(json, "format", format))
        return malformed;
    if (format != kFormat)
        return Error(fmt::format("it is of format {}, this librad knows {}", format, kFormat),
                     EINVAL);
    if (!json.contains("parsers") || !json["parsers"].is_array())
        return malformed;
    std::vector<KnownParser> parsers;
    for (const Json& item : json["parsers"]) {
        KnownParser parser;
        if (!item.is_object() || !read(item, "name", parser.info.name) ||
            !read(item, "version", parser.info.version) || !read(item, "abi", parser.info.abi) ||
            !read(item, "keeps", parser.info.keeps) || !read(item, "origin", parser.origin) ||
            !read(item, "build", parser.build) || !read(item, "id", parser.id))
            return malformed;
        parsers.push_back(std::move(parser));
    }
    return parsers;
}

Status ParserState::save(const std::vector<KnownParser>& parsers) const {
    const auto status = write_kept(path_, format_parsers(parsers));
    if (!status)
        return Error(fmt::format("cannot keep in {} which parsers there are: {}", path_,
                                 status.error().message()),
                     status.error().code());
    return Ok{};
}

Result<std::vector<KnownParser>> ParserState::load() const {
    const auto text = read_kept(path_);
    if (!text && text.error().code() == ENOENT)
        return std::vector<KnownParser>();
    if (!text)
        return text.error();
    auto parsers = parse_parsers(*text);
    if (!parsers)
        return std::move(parsers).error().context(path_);
    return parsers;
}

}  // namespace libra
