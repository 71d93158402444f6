// SPDX-License-Identifier: GPL-2.0-only
#include "protocol.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <limits>
#include <utility>

namespace libra {
namespace {

constexpr std::array<std::pair<std::string_view, libra_mode>, 5> kModes = {{
    {"off", LIBRA_MODE_OFF},
    {"dry-run", LIBRA_MODE_DRY_RUN},
    {"token", LIBRA_MODE_TOKEN},
    {"lazy", LIBRA_MODE_LAZY},
    {"on", LIBRA_MODE_TOKEN},  // its older name
}};

// Reads typed fields out of a request and remembers the first thing wrong.
class Fields {
  public:
    explicit Fields(const Json& json) : json_(json) {}

    void only(std::initializer_list<std::string_view> known) {
        for (const auto& [key, value] : json_.items()) {
            if (std::find(known.begin(), known.end(), key) == known.end())
                fail(fmt::format("unknown field '{}'", key));
        }
    }

    void read(const char* name, std::string& out, bool required) {
        if (const Json* value = find(name, required)) {
            if (value->is_string())
                out = value->get<std::string>();
            else
                fail(fmt::format("field '{}' must be a string", name));
        }
    }

    void read(const char* name, std::uint32_t& out, bool required) {
        if (const Json* value = find(name, required)) {
            if (value->is_number_unsigned() &&
                value->get<std::uint64_t>() <= std::numeric_limits<std::uint32_t>::max())
                out = value->get<std::uint32_t>();
            else
                fail(fmt::format("field '{}' must be a number from 0 to 4294967295", name));
        }
    }

    void read(const char* name, bool& out) {
        if (const Json* value = find(name, false)) {
            if (value->is_boolean())
                out = value->get<bool>();
            else
                fail(fmt::format("field '{}' must be true or false", name));
        }
    }

    void read(const char* name, std::vector<std::string>& out) {
        const Json* value = find(name, false);
        if (!value)
            return;
        if (!value->is_array())
            return fail(fmt::format("field '{}' must be a list of strings", name));
        for (const Json& item : *value) {
            if (!item.is_string())
                return fail(fmt::format("field '{}' must be a list of strings", name));
            out.push_back(item.get<std::string>());
        }
    }

    bool has(const char* name) const { return json_.contains(name); }

    void fail(std::string message) {
        if (!error_)
            error_.emplace(std::move(message), EINVAL);
    }

    const std::optional<Error>& error() const { return error_; }

  private:
    const Json* find(const char* name, bool required) {
        const auto it = json_.find(name);
        if (it != json_.end())
            return &*it;
        if (required)
            fail(fmt::format("field '{}' is missing", name));
        return nullptr;
    }

    const Json& json_;
    std::optional<Error> error_;
};

AttachRequest read_attach(Fields& fields) {
    fields.only({"op", "parser", "domain", "mode", "anchor_requests", "no_scrub", "listen",
                 "upstream", "cgroup"});
    AttachRequest request;
    std::string mode;
    fields.read("parser", request.parser, true);
    fields.read("domain", request.domain, true);
    if (request.domain == LIBRA_DOMAIN_NONE)
        fields.fail(fmt::format("field 'domain' must be less than {}", LIBRA_DOMAIN_NONE));
    fields.read("mode", mode, true);
    fields.read("anchor_requests", request.anchor_requests);
    fields.read("no_scrub", request.no_scrub);
    fields.read("listen", request.listen);
    fields.read("upstream", request.upstream);
    fields.read("cgroup", request.cgroup, false);
    if (const auto parsed = mode_from_name(mode))
        request.mode = *parsed;
    else
        fields.fail("field 'mode' must be off, dry-run, token or lazy");
    return request;
}

DetachRequest read_detach(Fields& fields) {
    fields.only({"op", "policy", "all"});
    DetachRequest request;
    bool all = false;
    fields.read("all", all);
    if (!all)
        fields.read("policy", request.policy.emplace(), true);
    else if (fields.has("policy"))
        fields.fail("either 'policy' or 'all', not both");
    return request;
}

}  // namespace

std::string_view mode_name(std::uint32_t mode) {
    for (const auto& [name, value] : kModes) {
        if (value == mode)
            return name;
    }
    return "?";
}

std::optional<libra_mode> mode_from_name(std::string_view name) {
    for (const auto& [known, value] : kModes) {
        if (known == name)
            return value;
    }
    return std::nullopt;
}

Result<Request> parse_request(std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded())
        return Error("the request is not valid JSON", EINVAL);
    if (!json.is_object())
        return Error("the request is not a JSON object", EINVAL);

    Fields fields(json);
    std::string op;
    fields.read("op", op, true);
    Request request = StatusRequest{};
    if (fields.error())
        return *fields.error();
    if (op == "attach") {
        request = read_attach(fields);
    } else if (op == "detach") {
        request = read_detach(fields);
    } else if (op == "status") {
        fields.only({"op"});
    } else if (op == "stats") {
        fields.only({"op"});
        request = StatsRequest{};
    } else {
        fields.fail("unknown 'op'; known: attach, detach, status, stats");
    }
    if (fields.error())
        return *fields.error();
    return request;
}

Json to_json(const Request& request) {
    if (const auto* attach = std::get_if<AttachRequest>(&request)) {
        Json json = {{"op", "attach"},
                     {"parser", attach->parser},
                     {"domain", attach->domain},
                     {"mode", mode_name(attach->mode)},
                     {"anchor_requests", attach->anchor_requests},
                     {"no_scrub", attach->no_scrub},
                     {"listen", attach->listen},
                     {"upstream", attach->upstream}};
        if (!attach->cgroup.empty())
            json["cgroup"] = attach->cgroup;
        return json;
    }
    if (const auto* detach = std::get_if<DetachRequest>(&request)) {
        if (detach->policy)
            return {{"op", "detach"}, {"policy", *detach->policy}};
        return {{"op", "detach"}, {"all", true}};
    }
    return {{"op", std::holds_alternative<StatsRequest>(request) ? "stats" : "status"}};
}

std::string to_line(const Json& json) {
    // replace: nothing a client sent may make an answer throw
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string error_line(const Error& error) {
    return to_line({{"ok", false}, {"error", error.message()}});
}

Json stats_answer(const KernelStats& stats) {
    Json values = Json::object();
    for (const auto& [name, value] : stats)
        values[name] = value;
    return Json{{"ok", true}, {"stats", std::move(values)}};
}

Result<Json> parse_answer(std::string_view line) {
    Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded() || !json.is_object() || !json.contains("ok") ||
        !json["ok"].is_boolean())
        return Error("librad's answer is not understood", EPROTO);
    if (json["ok"].get<bool>())
        return json;
    if (json.contains("error") && json["error"].is_string())
        return Error(json["error"].get<std::string>());
    return Error("librad refused without saying why");
}

}  // namespace libra
