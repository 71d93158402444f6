// SPDX-License-Identifier: GPL-2.0-only
#include "settings.h"

#include <cstdlib>
#include <cstring>

#include "complain.h"

namespace libra::memory {

std::optional<std::size_t> parse_min(const char* text) {
    std::size_t value = 0;
    for (const char* digit = text; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return std::nullopt;
        value = value * 10 + static_cast<std::size_t>(*digit - '0');
        if (value > kHighestMin)
            return std::nullopt;
    }
    if (value < kLowestMin)
        return std::nullopt;
    return value;
}

Settings read_settings() {
    Settings settings;
    if (const char* text = secure_getenv("LIBRA_MALLOC_MIN")) {
        if (const auto value = parse_min(text))
            settings.min_block = *value;
        else
            complain("LIBRA_MALLOC_MIN=%.40s is not a number from %zu to %zu, so %zu it is", text,
                     kLowestMin, kHighestMin, kDefaultMin);
    }
    const char* verbose = secure_getenv("LIBRA_MALLOC_VERBOSE");
    settings.verbose = verbose && strcmp(verbose, "1") == 0;
    const char* device = secure_getenv("LIBRA_MALLOC_DEVICE");
    settings.ordinary = device && strcmp(device, "none") == 0;
    if (device && !settings.ordinary)
        complain("LIBRA_MALLOC_DEVICE=%.40s is not none, so it is not heeded", device);
    return settings;
}

}  // namespace libra::memory
