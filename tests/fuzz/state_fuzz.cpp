// SPDX-License-Identifier: GPL-2.0-only
//
// The file of policies that a librad leaves to the next one: what is understood is the same
// when it is written again, and is safe to put in force.
#include <bitset>

#include "fuzz.h"
#include "state_file.h"

using namespace libra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto set = parse_state({reinterpret_cast<const char*>(data), size});
    if (!set)
        return 0;
    const std::string written = format_state(*set);
    const auto again = parse_state(written);
    require(static_cast<bool>(again), "what was understood is not, written again");
    require(format_state(*again) == written,
            "what was understood is something else, written again");

    const libra_policy compiled = set->compile();
    require(compiled.count <= LIBRA_MAX_RULES, "more rules than there is room for");
    std::bitset<LIBRA_MAX_RULES> slots;
    for (std::uint32_t i = 0; i < compiled.count; i++) {
        const libra_rule& rule = compiled.rules[i];
        require(rule.slot < LIBRA_MAX_RULES && !slots.test(rule.slot), "two rules count in one");
        slots.set(rule.slot);
        require(rule.roles != 0, "a rule of no role");
        require(set->find(rule.attach.policy) != nullptr, "a rule of no policy");
    }
    return 0;
}
