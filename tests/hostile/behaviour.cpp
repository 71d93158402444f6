// SPDX-License-Identifier: GPL-2.0-only
#include "behaviour.h"

#include <algorithm>
#include <sstream>

#include "common/error.h"

namespace libra::test {

const std::vector<std::string>& Behaviours::all_names() {
    static const std::vector<std::string> names = {
        "split",     "copy", "cut",       "chunk",  "full",   "more",      "delay",
        "recycle",   "mix",  "leave-out", "swap",   "twice",  "two-sinks", "vanish",
        "overwrite", "edit", "insert",    "behead", "curtail"};
    return names;
}

bool Behaviours::any_from(Behaviour first, Behaviour last) const {
    for (auto i = static_cast<unsigned>(first); i <= static_cast<unsigned>(last); ++i)
        if (has(static_cast<Behaviour>(i)))
            return true;
    return false;
}

std::string Behaviours::names() const {
    std::string text;
    for (unsigned i = 0; i < static_cast<unsigned>(Behaviour::kCount); ++i)
        if (has(static_cast<Behaviour>(i)))
            text += (text.empty() ? "" : ",") + all_names()[i];
    return text.empty() ? "plain" : text;
}

bool Behaviours::breaks_contract() const {
    if (any_from(Behaviour::kOverwrite, Behaviour::kCurtail))
        return true;
    // A unit that was recut begins or ends in the middle of an anchor.
    return any_from(Behaviour::kCopy, Behaviour::kCut) &&
           any_from(Behaviour::kMix, Behaviour::kTwoSinks);
}

bool Behaviours::moves_parts() const {
    return any_from(Behaviour::kCopy, Behaviour::kChunk);
}

Promise Behaviours::promise(bool http1, bool framed) const {
    if (breaks_contract())
        return Promise::kNoStale;
    if (any_from(Behaviour::kLeaveOut, Behaviour::kTwoSinks))
        return Promise::kExactOrAbort;
    // More bytes than the Content-Length announced.
    if (http1 && !framed && has(Behaviour::kMix))
        return Promise::kExactOrAbort;
    return Promise::kExact;
}

Behaviours Behaviours::parse(const std::string& names) {
    Behaviours behaviours;
    std::istringstream list(names);
    for (std::string name; std::getline(list, name, ',');) {
        if (name == "plain")
            continue;
        const auto at = std::find(all_names().begin(), all_names().end(), name);
        if (at == all_names().end())
            throw Error("no behaviour '" + name + "': see --help");
        behaviours.add(static_cast<Behaviour>(at - all_names().begin()));
    }
    return behaviours;
}

Behaviours Behaviours::some(Random& random) {
    Behaviours behaviours;
    const auto count = random.between(2, 5);
    for (std::uint64_t i = 0; i < count; ++i) {
        Behaviours more = behaviours;
        more.add(
            static_cast<Behaviour>(random.below(static_cast<unsigned>(Behaviour::kVanish) + 1)));
        if (!more.breaks_contract())
            behaviours = more;
    }
    return behaviours;
}

}  // namespace libra::test
