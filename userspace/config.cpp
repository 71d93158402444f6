// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <sstream>

#include "address.h"
#include "cgroup.h"
#include "policy_set.h"

// Of some texts the parser asserts what it has not looked at, such as how a table's name begins
// ("[!"). That is an error in the file, in builds without assertions as well.
namespace libra {
struct NotToml {};
constexpr void expect_toml(bool holds) {
    if (!holds)
        throw NotToml();
}
}  // namespace libra

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1  // the library has the one that throws
#define TOML_ASSERT(expr) ::libra::expect_toml(static_cast<bool>(expr))
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace libra {
namespace {

constexpr std::size_t kMaxConfig = 1U << 20;
constexpr std::size_t kMaxDepth = 8;

// An error of a place in the file.
class Place {
  public:
    explicit Place(const std::string& path) : path_(path) {}

    Error error(const toml::source_region& where, std::string_view what) const {
        return Error(fmt::format("{}:{}: {}", path_, where.begin.line, what), EINVAL);
    }

  private:
    const std::string& path_;
};

// The nearest of what is known, if it is near.
std::optional<std::string_view> meant(std::string_view word,
                                      const std::vector<std::string_view>& known) {
    std::optional<std::string_view> best;
    std::size_t least = 3;
    for (const std::string_view other : known) {
        std::vector<std::size_t> row(other.size() + 1);
        for (std::size_t i = 0; i <= other.size(); ++i)
            row[i] = i;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t k = 1; k <= other.size(); ++k) {
                const std::size_t kept = diagonal + (word[i - 1] != other[k - 1]);
                diagonal = row[k];
                row[k] = std::min({row[k] + 1, row[k - 1] + 1, kept});
            }
        }
        if (row.back() < least) {
            least = row.back();
            best = other;
        }
    }
    return best;
}

Status only_keys(const toml::table& table, const std::vector<std::string_view>& known,
                 const Place& place, std::string_view of) {
    for (const auto& [key, node] : table) {
        const std::string_view name = key.str();
        if (std::find(known.begin(), known.end(), name) != known.end())
            continue;
        const auto near = meant(name.substr(0, 64), known);
        return place.error(
            key.source(),
            near ? fmt::format("unknown key '{}' in {}; did you mean '{}'?", name, of, *near)
                 : fmt::format("unknown key '{}' in {}; known: {}", name, of,
                               fmt::join(known, ", ")));
    }
    return Ok{};
}

// As JSON, so that a policy is read by what reads requests.
Json to_json_value(const toml::node& node, std::size_t depth = 0) {
    if (const auto* text = node.as_string())
        return text->get();
    if (const auto* number = node.as_integer())
        return number->get() < 0 ? Json(number->get())
                                 : Json(static_cast<std::uint64_t>(number->get()));
    if (const auto* truth = node.as_boolean())
        return truth->get();
    if (const auto* list = node.as_array(); list && depth < kMaxDepth) {
        Json values = Json::array();
        for (const toml::node& item : *list)
            values.push_back(to_json_value(item, depth + 1));
        return values;
    }
    return nullptr;  // of no type that is wanted anywhere
}

const std::vector<std::string_view> kPolicyKeys = {
    "name",   "parser",   "domain", "mode",  "anchor_requests", "no_scrub",
    "listen", "upstream", "cgroup", "netns", "breaker", "check"};

Result<AttachRequest> read_policy(const toml::table& table, const Place& place,
                                  const CheckCgroup& check_cgroup) {
    if (auto status = only_keys(table, kPolicyKeys, place, "[[policy]]"); !status)
        return std::move(status).error();
    Json json = Json::object();
    for (const auto& [key, node] : table)
        json[std::string(key.str())] = to_json_value(node);
    const auto where = [&table](std::string_view field) {
        const toml::node* node = table.get(field);
        return node ? node->source() : table.source();
    };
    std::string field;
    auto policy = parse_policy(json, &field);
    if (!policy)
        return place.error(where(field), policy.error().message());
    if (policy->name.empty())
        return place.error(where("name"), "a policy needs a name, of which no other has");
    for (const auto& [key, texts, prefix] : {std::tuple{"listen", &policy->listen, Prefix::refused},
                                             {"upstream", &policy->upstream, Prefix::allowed}}) {
        for (const std::string& text : *texts) {
            if (const auto endpoint = parse_endpoint(text, prefix); !endpoint)
                return place.error(where(key), endpoint.error().message());
        }
    }
    for (const char* key : {"cgroup", "netns"}) {
        const std::string& path =
            key == std::string_view("cgroup") ? policy->cgroup : policy->netns;
        if (!path.empty() && path.front() != '/')
            return place.error(where(key), fmt::format("'{}' must be an absolute path", path));
    }
    if (check_cgroup && !policy->cgroup.empty()) {
        if (const auto status = check_cgroup(policy->cgroup); !status)
            return place.error(where("cgroup"), status.error().message());
    }
    return policy;
}

// That they fit together. Where a cgroup or a namespace is named, it counts as one of its own.
Status check_together(const Config& config, const toml::array& tables, const Place& place) {
    PolicySet set;
    std::vector<NewPolicy> all;
    std::vector<std::string> scopes = {""};
    const auto number = [&scopes](const std::string& path) -> std::uint64_t {
        const auto found = std::find(scopes.begin(), scopes.end(), path);
        if (found != scopes.end())
            return static_cast<std::uint64_t>(found - scopes.begin());
        scopes.push_back(path);
        return scopes.size() - 1;
    };
    for (const AttachRequest& request : config.policies)
        all.push_back(
            {request,
             {.netns_cookie = 1 + number(request.netns), .cgroup_id = number(request.cgroup)},
             Origin::config});
    const auto added = set.change({}, all);
    if (added)
        return Ok{};
    // Said of the first with which they do not, where that can be told.
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (all[k].request.name == all[i].request.name)
                return place.error(tables[i].source(), added.error().message());
        }
    }
    return place.error(tables.source(), added.error().message());
}

bool is_loopback(const Endpoint& endpoint) {
    if (endpoint.is_v4())
        return endpoint.address[12] == 127;
    return std::all_of(endpoint.address.begin(), endpoint.address.end() - 1,
                       [](std::uint8_t byte) { return byte == 0; }) &&
           endpoint.address.back() == 1;
}

Status read_daemon(const toml::table& table, const Place& place, Config& config) {
    if (auto status = only_keys(table, {"metrics"}, place, "[daemon]"); !status)
        return status;
    const toml::node* metrics = table.get("metrics");
    if (!metrics)
        return Ok{};
    if (!metrics->is_string())
        return place.error(metrics->source(), "metrics must be a string, ADDR:PORT");
    config.metrics = metrics->as_string()->get();
    const auto endpoint = parse_endpoint(config.metrics, Prefix::refused);
    if (!endpoint)
        return place.error(metrics->source(), endpoint.error().message());
    if (endpoint->prefix != 128 || !is_loopback(*endpoint))
        return place.error(metrics->source(),
                           "metrics are served to this machine only: 127.0.0.1:PORT or [::1]:PORT");
    return Ok{};
}

std::optional<toml::parse_result> parse(std::string_view text, const std::string& path) {
    try {
        return toml::parse(text, path);
    } catch (const NotToml&) {
        return std::nullopt;
    }
}

// The line at which the parser gave up without saying so: the first one with which it does.
std::size_t line_of_assertion(std::string_view text, const std::string& path) {
    std::vector<std::size_t> ends;
    for (std::size_t at = text.find('\n'); at != std::string_view::npos;
         at = text.find('\n', at + 1))
        ends.push_back(at + 1);
    const auto first = std::partition_point(ends.begin(), ends.end(), [&](std::size_t end) {
        return parse(text.substr(0, end), path).has_value();
    });
    return 1 + static_cast<std::size_t>(first - ends.begin());
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& path,
                            const CheckCgroup& check_cgroup) {
    const Place place(path);
    const auto result = parse(text, path);
    if (!result)
        return Error(fmt::format("{}:{}: this is no TOML", path, line_of_assertion(text, path)),
                     EINVAL);
    const toml::parse_result& parsed = *result;
    if (!parsed)
        return place.error(parsed.error().source(), parsed.error().description());
    const toml::table& table = parsed.table();
    Config config;
    if (auto status = only_keys(table, {"daemon", "policy"}, place, "the file"); !status)
        return std::move(status).error();
    if (const toml::node* daemon = table.get("daemon")) {
        if (!daemon->is_table())
            return place.error(daemon->source(), "daemon is a table: [daemon]");
        if (auto status = read_daemon(*daemon->as_table(), place, config); !status)
            return std::move(status).error();
    }
    const toml::node* policies = table.get("policy");
    if (!policies)
        return config;
    const toml::array* tables = policies->as_array();
    if (!tables || !std::all_of(tables->begin(), tables->end(),
                                [](const toml::node& node) { return node.is_table(); }))
        return place.error(policies->source(), "policies are tables of a list: [[policy]]");
    for (const toml::node& node : *tables) {
        auto policy = read_policy(*node.as_table(), place, check_cgroup);
        if (!policy)
            return std::move(policy).error();
        config.policies.push_back(std::move(policy).value());
    }
    if (auto status = check_together(config, *tables, place); !status)
        return std::move(status).error();
    return config;
}

Result<Config> read_config(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return Error::from_errno(path);
    std::string text(kMaxConfig + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad())
        return Error::from_errno(path);
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMaxConfig)
        return Error(fmt::format("{}: a configuration has at most {} bytes", path, kMaxConfig),
                     EFBIG);
    return parse_config(text, path, [](const std::string& cgroup) -> Status {
        auto id = cgroup_id(cgroup);
        if (id || id.error().code() == ENOENT)
            return Ok{};
        return std::move(id).error();
    });
}

}  // namespace libra
