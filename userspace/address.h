// SPDX-License-Identifier: GPL-2.0-only
// ADDR[/PREFIX]:PORT as policies name listeners and upstreams.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "error.h"

namespace libra {

// IPv4 is kept as ::ffff:a.b.c.d, so that a dual-stack listener matches.
struct Endpoint {
    std::array<std::uint8_t, 16> address{};
    unsigned prefix = 0;  // bits of address that count, 0: any
    std::uint16_t port = 0;

    bool is_v4() const;
    bool operator==(const Endpoint&) const = default;
};

enum class Prefix { refused, allowed };

// 10.0.0.1:80, [2001:db8::1]:80, *:80 (any address); with Prefix::allowed also
// 10.0.0.0/8:80 and [2001:db8::]/32:80. 0.0.0.0 is any IPv4 address, [::] any
// address at all, as for a dual-stack listener.
Result<Endpoint> parse_endpoint(std::string_view text, Prefix prefix);

std::string format_endpoint(const Endpoint& endpoint);

}  // namespace libra
