// SPDX-License-Identifier: GPL-2.0-only
#include "protocol.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
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
                fail(fmt::format("unknown field '{}'", key), key);
        }
    }

    void read(const char* name, std::string& out, bool required) {
        if (const Json* value = find(name, required)) {
            if (value->is_string())
                out = value->get<std::string>();
            else
                fail(fmt::format("field '{}' must be a string", name), name);
        }
    }

    void read(const char* name, std::uint32_t& out, bool required) {
        if (const Json* value = find(name, required)) {
            if (value->is_number_unsigned() &&
                value->get<std::uint64_t>() <= std::numeric_limits<std::uint32_t>::max())
                out = value->get<std::uint32_t>();
            else
                fail(fmt::format("field '{}' must be a number from 0 to 4294967295", name), name);
        }
    }

    void read(const char* name, bool& out) {
        if (const Json* value = find(name, false)) {
            if (value->is_boolean())
                out = value->get<bool>();
            else
                fail(fmt::format("field '{}' must be true or false", name), name);
        }
    }

    void read(const char* name, std::vector<std::string>& out) {
        const Json* value = find(name, false);
        if (!value)
            return;
        if (!value->is_array())
            return fail(fmt::format("field '{}' must be a list of strings", name), name);
        for (const Json& item : *value) {
            if (!item.is_string())
                return fail(fmt::format("field '{}' must be a list of strings", name), name);
            out.push_back(item.get<std::string>());
        }
    }

    bool has(const char* name) const { return json_.contains(name); }

    void fail(std::string message, std::string_view field = {}) {
        if (error_)
            return;
        error_.emplace(std::move(message), EINVAL);
        field_ = field;
    }

    const std::optional<Error>& error() const { return error_; }
    const std::string& field() const { return field_; }

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
    std::string field_;
};

constexpr std::size_t kMaxName = 64;

// A name stands in logs and labels.
bool is_name(std::string_view text) {
    return text.size() <= kMaxName && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
           });
}

AttachRequest read_policy(Fields& fields) {
    AttachRequest request;
    std::string mode;
    std::string breaker = format_breaker(request.breaker);
    std::string check = format_check_rate(request.check);
    fields.read("name", request.name, false);
    if (!is_name(request.name))
        fields.fail(
            fmt::format("field 'name' takes up to {} letters, digits, '-', '_' and '.'", kMaxName),
            "name");
    fields.read("parser", request.parser, true);
    fields.read("domain", request.domain, true);
    if (request.domain == LIBRA_DOMAIN_NONE)
        fields.fail(fmt::format("field 'domain' must be less than {}", LIBRA_DOMAIN_NONE),
                    "domain");
    fields.read("mode", mode, true);
    fields.read("anchor_requests", request.anchor_requests);
    fields.read("no_scrub", request.no_scrub);
    fields.read("listen", request.listen);
    fields.read("upstream", request.upstream);
    fields.read("cgroup", request.cgroup, false);
    fields.read("netns", request.netns, false);
    fields.read("breaker", breaker, false);
    fields.read("check", check, false);
    if (const auto parsed = mode_from_name(mode))
        request.mode = *parsed;
    else
        fields.fail("field 'mode' must be off, dry-run, token or lazy", "mode");
    if (const auto parsed = parse_breaker(breaker))
        request.breaker = *parsed;
    else
        fields.fail(fmt::format("field 'breaker': {}", parsed.error().message()), "breaker");
    if (const auto parsed = parse_check_rate(check))
        request.check = *parsed;
    else
        fields.fail(fmt::format("field 'check': {}", parsed.error().message()), "check");
    return request;
}

AttachRequest read_attach(Fields& fields) {
    fields.only({"op", "protocol", "name", "parser", "domain", "mode", "anchor_requests",
                 "no_scrub", "listen", "upstream", "cgroup", "netns", "breaker", "check"});
    return read_policy(fields);
}

ApplyRequest read_apply(Fields& fields, const Json& json) {
    fields.only({"op", "protocol", "policies", "dry"});
    ApplyRequest request;
    fields.read("dry", request.dry);
    const auto policies = json.find("policies");
    if (policies == json.end() || !policies->is_array()) {
        fields.fail("field 'policies' must be a list of policies", "policies");
        return request;
    }
    for (const Json& item : *policies) {
        const auto policy = parse_policy(item);
        if (!policy) {
            fields.fail(
                fmt::format("policy {}: {}", request.policies.size() + 1, policy.error().message()),
                "policies");
            return request;
        }
        request.policies.push_back(*policy);
    }
    return request;
}

DetachRequest read_detach(Fields& fields) {
    fields.only({"op", "protocol", "policy", "all"});
    DetachRequest request;
    bool all = false;
    fields.read("all", all);
    if (!all)
        fields.read("policy", request.policy.emplace(), true);
    else if (fields.has("policy"))
        fields.fail("either 'policy' or 'all', not both");
    return request;
}

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string required(Fields& fields, const char* name) {
    std::string value;
    fields.read(name, value, true);
    return value;
}

Request read_request(const std::string& op, Fields& fields, const Json& json) {
    if (op == "attach")
        return read_attach(fields);
    if (op == "detach")
        return read_detach(fields);
    if (op == "apply")
        return read_apply(fields, json);
    if (op == "resume") {
        fields.only({"op", "protocol", "policy"});
        ResumeRequest resume;
        fields.read("policy", resume.policy, true);
        return resume;
    }
    if (op == "parser-load") {
        fields.only({"op", "protocol", "file"});
        return ParserLoadRequest{required(fields, "file")};
    }
    if (op == "parser-replace") {
        fields.only({"op", "protocol", "name", "file"});
        return ParserReplaceRequest{required(fields, "name"), required(fields, "file")};
    }
    if (op == "parser-unload") {
        fields.only({"op", "protocol", "name"});
        return ParserUnloadRequest{required(fields, "name")};
    }
    for (const auto& [name, request] :
         {std::pair<std::string_view, Request>{"reload", ReloadRequest{}},
          {"status", StatusRequest{}},
          {"stats", StatsRequest{}},
          {"parser-list", ParserListRequest{}}}) {
        if (op != name)
            continue;
        fields.only({"op", "protocol"});
        return request;
    }
    fields.fail(
        "unknown 'op'; known: attach, detach, apply, reload, resume, status, stats, "
        "parser-load, parser-replace, parser-unload, parser-list");
    return StatusRequest{};
}

}  // namespace

Result<Breaker> parse_breaker(std::string_view text) {
    if (text == "off")
        return Breaker{.fail_stops = 0, .seconds = 0};
    const auto slash = std::min(text.find('/'), text.size());
    const std::uint32_t fail_stops = number(text.substr(0, slash)).value_or(0);
    const std::uint32_t seconds =
        slash < text.size() ? number(text.substr(slash + 1)).value_or(0) : 0;
    if (fail_stops == 0 || seconds == 0 || seconds > 3600)
        return Error(fmt::format("'{}' is neither off nor FAIL-STOPS/SECONDS, such as 3/60 (at "
                                 "most 3600 seconds)",
                                 text),
                     EINVAL);
    return Breaker{.fail_stops = fail_stops, .seconds = seconds};
}

std::string format_breaker(const Breaker& breaker) {
    return breaker.fail_stops ? fmt::format("{}/{}", breaker.fail_stops, breaker.seconds) : "off";
}

Result<CheckRate> parse_check_rate(std::string_view text) {
    constexpr std::uint32_t kMost = 1U << 24;
    if (text == "off")
        return CheckRate{.one_of = 0};
    if (text == "all")
        return CheckRate{.one_of = 1};
    const std::uint32_t one_of = text.starts_with("1/") ? number(text.substr(2)).value_or(0) : 0;
    if (!std::has_single_bit(one_of) || one_of > kMost)
        return Error(fmt::format("'{}' is neither off, all, nor 1/N with a power of two up to {}, "
                                 "such as 1/1024",
                                 text, kMost),
                     EINVAL);
    return CheckRate{.one_of = one_of};
}

std::string format_check_rate(const CheckRate& rate) {
    if (rate.one_of <= 1)
        return rate.one_of ? "all" : "off";
    return fmt::format("1/{}", rate.one_of);
}

bool only_reads(const Request& request) {
    const auto* apply = std::get_if<ApplyRequest>(&request);
    return (apply && apply->dry) || std::holds_alternative<StatusRequest>(request) ||
           std::holds_alternative<StatsRequest>(request) ||
           std::holds_alternative<ParserListRequest>(request);
}

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

Result<AttachRequest> parse_policy(const Json& json, std::string* field) {
    if (!json.is_object())
        return Error("a policy is a JSON object", EINVAL);
    Fields fields(json);
    fields.only({"name", "parser", "domain", "mode", "anchor_requests", "no_scrub", "listen",
                 "upstream", "cgroup", "netns", "breaker", "check"});
    auto policy = read_policy(fields);
    if (!fields.error())
        return policy;
    if (field)
        *field = fields.field();
    return *fields.error();
}

Json policy_json(const AttachRequest& policy) {
    Json json = Json::object();
    if (!policy.name.empty())
        json["name"] = policy.name;
    json["parser"] = policy.parser;
    json["domain"] = policy.domain;
    json["mode"] = mode_name(policy.mode);
    json["anchor_requests"] = policy.anchor_requests;
    json["no_scrub"] = policy.no_scrub;
    json["listen"] = policy.listen;
    json["upstream"] = policy.upstream;
    if (!policy.cgroup.empty())
        json["cgroup"] = policy.cgroup;
    if (!policy.netns.empty())
        json["netns"] = policy.netns;
    json["breaker"] = format_breaker(policy.breaker);
    json["check"] = format_check_rate(policy.check);
    return json;
}

Result<Request> parse_request(std::string_view line) {
    // An object that keeps its order looks through all of its keys for each one.
    constexpr unsigned kMostKeys = 64;
    std::vector<unsigned> keys;
    bool too_many = false;
    const auto count = [&](int, Json::parse_event_t event, const Json&) {
        if (event == Json::parse_event_t::object_start)
            keys.push_back(0);
        else if (event == Json::parse_event_t::object_end)
            keys.pop_back();
        else if (event == Json::parse_event_t::key && ++keys.back() > kMostKeys)
            too_many = true;
        return !too_many;
    };
    const Json json = Json::parse(line, count, false);
    if (too_many)
        return Error(fmt::format("an object of the request has more than {} keys", kMostKeys),
                     EINVAL);
    if (json.is_discarded())
        return Error("the request is not valid JSON", EINVAL);
    if (!json.is_object())
        return Error("the request is not a JSON object", EINVAL);

    Fields fields(json);
    std::string op;
    std::uint32_t protocol = kProtocol;
    fields.read("op", op, true);
    fields.read("protocol", protocol, false);
    if (protocol != kProtocol)
        fields.fail(fmt::format("this librad speaks protocol {}, not {}", kProtocol, protocol));
    if (fields.error())
        return *fields.error();
    Request request = read_request(op, fields, json);
    if (fields.error())
        return *fields.error();
    return request;
}

Json to_json(const Request& request) {
    if (const auto* attach = std::get_if<AttachRequest>(&request)) {
        Json json = {{"op", "attach"}};
        json.update(policy_json(*attach));
        return json;
    }
    if (const auto* detach = std::get_if<DetachRequest>(&request)) {
        if (detach->policy)
            return {{"op", "detach"}, {"policy", *detach->policy}};
        return {{"op", "detach"}, {"all", true}};
    }
    if (const auto* apply = std::get_if<ApplyRequest>(&request)) {
        Json policies = Json::array();
        for (const AttachRequest& policy : apply->policies)
            policies.push_back(policy_json(policy));
        return {{"op", "apply"}, {"policies", std::move(policies)}, {"dry", apply->dry}};
    }
    if (const auto* resume = std::get_if<ResumeRequest>(&request))
        return {{"op", "resume"}, {"policy", resume->policy}};
    if (std::holds_alternative<ReloadRequest>(request))
        return {{"op", "reload"}};
    if (const auto* load = std::get_if<ParserLoadRequest>(&request))
        return {{"op", "parser-load"}, {"file", load->file}};
    if (const auto* replace = std::get_if<ParserReplaceRequest>(&request))
        return {{"op", "parser-replace"}, {"name", replace->name}, {"file", replace->file}};
    if (const auto* unload = std::get_if<ParserUnloadRequest>(&request))
        return {{"op", "parser-unload"}, {"name", unload->name}};
    if (std::holds_alternative<ParserListRequest>(request))
        return {{"op", "parser-list"}};
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
