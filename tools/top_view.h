// SPDX-License-Identifier: GPL-2.0-only
// What libractl top shows, drawn from two moments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "facts.h"
#include "native_sample.h"
#include "protocol.h"
#include "watch.h"

namespace libra {

struct Moment {
    double seconds = 0;  // of a clock that does not jump
    Facts facts;
    Usage usage;
};

struct TopService {
    std::string name;
    std::size_t processes = 0;
    std::size_t connections = 0;
    std::size_t attached = 0;   // by policies
    double cpu_percent = 0;     // 100: one processor
    double kept_rate = 0;       // bytes per second of token mode, received and kept
    std::uint64_t payload = 0;  // payload memory, mapped
    std::int64_t held = 0;      // kept in the kernel now, as it is charged
};

// CPU seconds per GB, see native_sample.h.
struct NativeSample {
    double with = 0;
    double without = 0;
    double seconds = 0;  // each was measured so long
    // With it, before and after: how far apart they are is what the load, or chance, does.
    double first = 0;
    double second = 0;
};

struct TopView {
    double seconds = 0;
    double kept_rate = 0;  // both modes
    double sent_rate = 0;
    double copied_rate = 0;  // of what could have been
    double fills_user = 0;
    double fills_kernel = 0;
    std::uint64_t fail_stops = 0;
    std::vector<StatChange> fallbacks;  // that went on, most first
    std::vector<TopService> services;   // busiest first
    std::optional<double> cpu_per_gb;
};

TopView top_view(const Moment& before, const Moment& now);

// At most @width columns and @height lines; 0: any number.
std::string render_top(const TopView& view, const std::optional<NativeSample>& sample,
                       std::size_t width, std::size_t height);
Json top_json(const TopView& view, const std::optional<NativeSample>& sample);

// How much less CPU was needed than natively, in words.
std::string sample_text(const std::optional<NativeSample>& sample);

}  // namespace libra
