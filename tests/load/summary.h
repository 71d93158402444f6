// SPDX-License-Identifier: GPL-2.0-only
// What came of the requests.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace libra::load {

enum class Outcome {
    kExact,      // the whole body, byte for byte
    kMismatch,   // a complete response with another body
    kAborted,    // vanished on purpose
    kConnect,    // no connection
    kReset,      // the peer reset it, or another socket error
    kTruncated,  // the peer closed too early
    kTimeout,
    kStatus,     // another status than the expected one
    kMalformed,  // not HTTP/1
};

class Summary {
  public:
    void record(Outcome outcome, std::chrono::microseconds latency, const std::string& detail);
    void add_bytes(std::uint64_t count) { bytes_ += count; }
    void set_seconds(double seconds) { seconds_ = seconds; }

    bool clean() const { return mismatches_ == 0 && errors_ == 0; }
    std::string json() const;

  private:
    std::uint32_t percentile(double share) const;

    std::uint64_t requests_ = 0;
    std::uint64_t mismatches_ = 0;
    std::uint64_t errors_ = 0;
    std::uint64_t aborted_ = 0;
    std::uint64_t bytes_ = 0;
    double seconds_ = 0;
    std::map<std::string, std::uint64_t> error_kinds_;
    std::string first_mismatch_;
    std::string first_error_;
    std::vector<std::uint32_t> latencies_;  // of the exact ones, in microseconds
};

}  // namespace libra::load
