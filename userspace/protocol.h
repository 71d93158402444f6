// SPDX-License-Identifier: GPL-2.0-only
// What librad and its clients say to each other: one JSON object per line,
// one answer per request. {"ok":true,...} or {"ok":false,"error":"..."}. librad.8 describes
// it; what is added to an answer needs no new version, what a client could take amiss does.
#pragma once

#include <linux/libra.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "error.h"
#include "kernel_stats.h"

namespace libra {

using Json = nlohmann::ordered_json;

inline constexpr const char* kDefaultSocket = "/run/libra/librad.sock";
inline constexpr std::size_t kMaxLine = 512 * 1024;
inline constexpr std::uint32_t kProtocol = 1;

// So many fail-stops, or altered messages, within so many seconds take a policy back to native
// copies.
struct Breaker {
    std::uint32_t fail_stops = 3;  // 0: never
    std::uint32_t seconds = 60;

    bool operator==(const Breaker&) const = default;
};

// "3/60", or "off".
Result<Breaker> parse_breaker(std::string_view text);
std::string format_breaker(const Breaker& breaker);

// How many messages are copied, and looked for on their way out: "off", "all" or "1/N", where N
// is a power of two.
struct CheckRate {
    std::uint32_t one_of = 1024;  // 0: none

    bool operator==(const CheckRate&) const = default;
};

Result<CheckRate> parse_check_rate(std::string_view text);
std::string format_check_rate(const CheckRate& rate);

// A policy, as it is asked for.
struct AttachRequest {
    std::string name;  // empty: none
    std::string parser;
    std::uint32_t domain = 0;
    libra_mode mode = LIBRA_MODE_OFF;
    bool anchor_requests = false;
    bool no_scrub = false;  // memory behind a token keeps what it held
    std::vector<std::string> listen;
    std::vector<std::string> upstream;
    std::string cgroup;  // directory in the cgroup v2 file system, empty: any
    std::string netns;   // file of a network namespace, empty: librad's own
    Breaker breaker;
    CheckRate check;  // in mode dry-run all, unless none

    bool operator==(const AttachRequest&) const = default;
};

struct DetachRequest {
    std::optional<std::uint32_t> policy;  // none: all of them
};

// These policies in place of those that a configuration brought. Those that are as they
// were stay untouched. Only said, not done: what would change.
struct ApplyRequest {
    std::vector<AttachRequest> policies;
    bool dry = false;
};

struct ReloadRequest {};  // the configuration file that librad was started with

// What a breaker took back is tried again.
struct ResumeRequest {
    std::uint32_t policy = 0;
};

struct StatusRequest {};
struct StatsRequest {};

// Of those that change parsers, librad reads the file: an absolute path.
struct ParserLoadRequest {
    std::string file;
};
struct ParserReplaceRequest {
    std::string name;
    std::string file;
};
struct ParserUnloadRequest {
    std::string name;
};
struct ParserListRequest {};

using Request = std::variant<AttachRequest, DetachRequest, ApplyRequest, ReloadRequest,
                             ResumeRequest, StatusRequest, StatsRequest, ParserLoadRequest,
                             ParserReplaceRequest, ParserUnloadRequest, ParserListRequest>;

// Changes nothing, so that members of the group may ask.
bool only_reads(const Request& request);

std::string_view mode_name(std::uint32_t mode);
std::optional<libra_mode> mode_from_name(std::string_view name);

// Refuses what it does not know, so that a misspelt field is not ignored.
Result<Request> parse_request(std::string_view line);

// A policy as a JSON object, and back. @field: the one that is wrong, or empty.
Result<AttachRequest> parse_policy(const Json& json, std::string* field = nullptr);
Json policy_json(const AttachRequest& policy);

Json to_json(const Request& request);
std::string to_line(const Json& json);
std::string error_line(const Error& error);

// The answer to a StatsRequest.
Json stats_answer(const KernelStats& stats);

// A client's view of an answer: its fields, or the error it carries.
Result<Json> parse_answer(std::string_view line);

}  // namespace libra
