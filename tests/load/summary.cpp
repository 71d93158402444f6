// SPDX-License-Identifier: GPL-2.0-only
#include "summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace libra::load {
namespace {

const char* kind(Outcome outcome) {
    switch (outcome) {
        case Outcome::kConnect:
            return "connect";
        case Outcome::kReset:
            return "reset";
        case Outcome::kTruncated:
            return "truncated";
        case Outcome::kTimeout:
            return "timeout";
        case Outcome::kStatus:
            return "status";
        case Outcome::kMalformed:
            return "malformed";
        case Outcome::kExact:
        case Outcome::kMismatch:
        case Outcome::kAborted:
            break;
    }
    return "other";
}

}  // namespace

void Summary::record(Outcome outcome, std::chrono::microseconds latency,
                     const std::string& detail) {
    ++requests_;
    switch (outcome) {
        case Outcome::kExact:
            latencies_.push_back(
                static_cast<std::uint32_t>(std::min<std::int64_t>(latency.count(), UINT32_MAX)));
            break;
        case Outcome::kMismatch:
            if (mismatches_++ == 0)
                first_mismatch_ = detail;
            break;
        case Outcome::kAborted:
            ++aborted_;
            break;
        default:
            ++error_kinds_[kind(outcome)];
            if (errors_++ == 0)
                first_error_ = std::string(kind(outcome)) + ": " + detail;
            break;
    }
}

std::uint32_t Summary::percentile(double share) const {
    if (latencies_.empty())
        return 0;
    auto sorted = latencies_;
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(sorted.begin(), at, sorted.end());
    return *at;
}

std::string Summary::json() const {
    nlohmann::ordered_json out;
    out["requests"] = requests_;
    out["exact"] = latencies_.size();
    out["mismatches"] = mismatches_;
    out["errors"] = errors_;
    out["aborted"] = aborted_;
    out["bytes"] = bytes_;
    out["seconds"] = seconds_;
    out["latency_us"] = {{"p50", percentile(0.50)}, {"p99", percentile(0.99)}};
    if (!error_kinds_.empty())
        out["error_kinds"] = error_kinds_;
    if (errors_ > 0)
        out["first_error"] = first_error_;
    if (mismatches_ > 0)
        out["first_mismatch"] = first_mismatch_;
    return out.dump();
}

}  // namespace libra::load
