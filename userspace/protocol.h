// SPDX-License-Identifier: GPL-2.0-only
// What librad and its clients say to each other: one JSON object per line,
// one answer per request. {"ok":true,...} or {"ok":false,"error":"..."}.
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
inline constexpr std::size_t kMaxLine = 64 * 1024;

struct AttachRequest {
    std::string parser;
    std::uint32_t domain = 0;
    libra_mode mode = LIBRA_MODE_OFF;
    bool anchor_requests = false;
    bool no_scrub = false;  // memory behind a token keeps what it held
    std::vector<std::string> listen;
    std::vector<std::string> upstream;
    std::string cgroup;  // directory in the cgroup v2 file system, empty: any
};

struct DetachRequest {
    std::optional<std::uint32_t> policy;  // none: all of them
};

struct StatusRequest {};
struct StatsRequest {};

using Request = std::variant<AttachRequest, DetachRequest, StatusRequest, StatsRequest>;

std::string_view mode_name(std::uint32_t mode);
std::optional<libra_mode> mode_from_name(std::string_view name);

// Refuses what it does not know, so that a misspelt field is not ignored.
Result<Request> parse_request(std::string_view line);

Json to_json(const Request& request);
std::string to_line(const Json& json);
std::string error_line(const Error& error);

// The answer to a StatsRequest.
Json stats_answer(const KernelStats& stats);

// A client's view of an answer: its fields, or the error it carries.
Result<Json> parse_answer(std::string_view line);

}  // namespace libra
