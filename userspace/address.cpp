// SPDX-License-Identifier: GPL-2.0-only
#include "address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace libra {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > max)
        return std::nullopt;
    return value;
}

bool bits_behind(const std::array<std::uint8_t, 16>& address, unsigned prefix) {
    for (unsigned bit = prefix; bit < 128; ++bit) {
        if (address[bit / 8] & (0x80U >> (bit % 8)))
            return true;
    }
    return false;
}

Error malformed(std::string_view text, std::string_view why) {
    return Error(fmt::format("'{}': {}", text, why), EINVAL);
}

}  // namespace

bool Endpoint::is_v4() const {
    return prefix >= kMappedBits && std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

Result<Endpoint> parse_endpoint(std::string_view text, Prefix allowed) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon < text.rfind(']') + 1)
        return malformed(text, "no port; write ADDR:PORT or [IPV6]:PORT");
    std::string_view host = text.substr(0, colon);
    const auto port = parse_number(text.substr(colon + 1), 65535);
    if (!port || *port == 0)
        return malformed(text, "the port must be a number from 1 to 65535");

    std::optional<std::string_view> prefix_text;
    if (const auto slash = host.find('/'); slash != std::string_view::npos) {
        prefix_text = host.substr(slash + 1);
        host = host.substr(0, slash);
    }
    if (prefix_text && allowed == Prefix::refused)
        return malformed(text, "a prefix is for upstreams; a listener has one address, or *");

    Endpoint endpoint;
    endpoint.port = static_cast<std::uint16_t>(*port);
    if (host == "*") {
        if (prefix_text)
            return malformed(text, "* takes no prefix, it is any address");
        return endpoint;
    }

    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    unsigned offset = 0;
    if (bracketed) {
        const std::string name(host.substr(1, host.size() - 2));
        if (inet_pton(AF_INET6, name.c_str(), endpoint.address.data()) != 1)
            return malformed(text, fmt::format("'{}' is not an IPv6 address", name));
    } else {
        const std::string name(host);
        if (name.find(':') != std::string::npos)
            return malformed(text, "write an IPv6 address in brackets: [IPV6]:PORT");
        std::copy(kMapped.begin(), kMapped.end(), endpoint.address.begin());
        if (inet_pton(AF_INET, name.c_str(), endpoint.address.data() + kMapped.size()) != 1)
            return malformed(
                text, fmt::format("'{}' is not an IPv4 address (names are not looked up)", name));
        offset = kMappedBits;
    }

    if (prefix_text) {
        const auto prefix = parse_number(*prefix_text, 128 - offset);
        if (!prefix)
            return malformed(text, fmt::format("the prefix must be from 0 to {}", 128 - offset));
        endpoint.prefix = offset + *prefix;
        if (bits_behind(endpoint.address, endpoint.prefix))
            return malformed(text, "the address has bits set behind its prefix");
    } else {
        endpoint.prefix = bits_behind(endpoint.address, offset) ? 128 : offset;
    }
    return endpoint;
}

std::string format_endpoint(const Endpoint& endpoint) {
    if (endpoint.port == 0)
        return "*";
    if (endpoint.prefix == 0)
        return fmt::format("*:{}", endpoint.port);

    const bool v4 = endpoint.is_v4();
    char buffer[INET6_ADDRSTRLEN] = {};
    const auto* bytes = endpoint.address.data() + (v4 ? kMapped.size() : 0);
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, bytes, buffer, sizeof(buffer)))
        return "?";
    const std::string host = v4 ? buffer : fmt::format("[{}]", buffer);
    if (endpoint.prefix == 128)
        return fmt::format("{}:{}", host, endpoint.port);
    return fmt::format("{}/{}:{}", host, endpoint.prefix - (v4 ? kMappedBits : 0), endpoint.port);
}

}  // namespace libra
