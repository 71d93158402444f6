// SPDX-License-Identifier: GPL-2.0-only
#include "unit_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proc_fields.h"

namespace libra::service {
namespace {

constexpr std::string_view kService = ".service";
constexpr std::size_t kMaxName = 255;  // of systemd, and of a directory's

constexpr std::array<std::string_view, 10> kOtherTypes{
    ".socket", ".target", ".timer",  ".path", ".mount",
    ".slice",  ".scope",  ".device", ".swap", ".automount",
};

bool allowed(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

Error refuse(std::string_view text, std::string_view why) {
    return Error(fmt::format("'{}' is not the name of a service: {}", shown(text), why), EINVAL);
}

}  // namespace

std::string shown(std::string_view text) {
    constexpr std::size_t kEnough = 200;
    std::string safe = harmless(text.substr(0, kEnough));
    return text.size() > kEnough ? safe + "…" : safe;
}

Result<std::string> service_name(std::string_view text) {
    if (text.empty())
        return refuse(text, "it is empty");
    if (!std::all_of(text.begin(), text.end(), allowed))
        return refuse(text, "letters, digits and :-_.\\@ are allowed");
    for (const std::string_view type : kOtherTypes) {
        if (text.ends_with(type))
            return refuse(text,
                          fmt::format("name the .service that belongs to this {}", type.substr(1)));
    }
    std::string name(text);
    if (!text.ends_with(kService))
        name += kService;
    const std::string_view stem = std::string_view(name).substr(0, name.size() - kService.size());
    if (stem.empty() || stem[0] == '.' || stem[0] == '-' || stem[0] == '@')
        return refuse(text, "it begins with what no service begins with");
    if (name.size() > kMaxName)
        return refuse(text, "it is too long");
    if (stem.ends_with('@'))
        return refuse(text, fmt::format("it is a template; name an instance of it, such as {}NAME"
                                        ".service",
                                        stem));
    return name;
}

}  // namespace libra::service
