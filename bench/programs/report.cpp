// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <nlohmann/json.hpp>

namespace libra::bench {

std::string Report::json() const {
    const auto us = [](auto nanoseconds) { return static_cast<double>(nanoseconds) / 1000; };
    nlohmann::ordered_json out;
    out["requests"] = latency.count();
    out["errors"] = errors;
    if (verify) {
        out["exact"] = latency.count();
        out["mismatches"] = mismatches;
    }
    out["seconds"] = seconds;
    out["bytes"] = bytes;
    out["rate"] = seconds > 0 ? static_cast<double>(latency.count()) / seconds : 0;
    out["latency_us"] = {{"min", us(latency.min())},
                         {"mean", us(latency.mean())},
                         {"p50", us(latency.percentile(0.5))},
                         {"p90", us(latency.percentile(0.9))},
                         {"p99", us(latency.percentile(0.99))},
                         {"p999", us(latency.percentile(0.999))},
                         {"max", us(latency.max())}};
    out["histogram"] = nlohmann::json::array();
    for (const auto& [upper, count] : latency.buckets())
        out["histogram"].push_back({us(upper), count});
    out["cpu_s"] = {{"user", user}, {"system", system}};
    out["first_error"] = first_error;
    return out.dump();
}

}  // namespace libra::bench
