// SPDX-License-Identifier: GPL-2.0-only
#include "rule.h"

#include <algorithm>
#include <array>

namespace libra::doctor {

std::span<const ConcernName> concern_names() {
    static constexpr std::array kNames{
        ConcernName{kTokenUnsafe, "token-unsafe", "unsafe in token mode"},
        ConcernName{kRequestsUnsafe, "requests-unsafe", "unsafe with --anchor-requests"},
        ConcernName{kTokenSlow, "token-slow", "slow in token mode"},
        ConcernName{kLazySlow, "lazy-slow", "slow in lazy mode"},
    };
    return kNames;
}

void Findings::add(const Rule& rule, Hit hit, std::string instead, std::string cost, Where place) {
    const auto same = [&](const Finding& finding) {
        return finding.rule == &rule && finding.hit.text == hit.text &&
               finding.instead == instead && finding.hit.by_default == hit.by_default &&
               (hit.by_default || finding.hit.at == hit.at);
    };
    const auto it = std::ranges::find_if(findings_, same);
    if (it == findings_.end())
        findings_.push_back(
            {&rule, std::move(hit), std::move(instead), std::move(cost), {std::move(place)}});
    else if (std::ranges::find(it->places, place) == it->places.end())
        it->places.push_back(std::move(place));
}

}  // namespace libra::doctor
