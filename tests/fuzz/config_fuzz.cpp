// SPDX-License-Identifier: GPL-2.0-only
//
// librad's configuration: what is refused is refused at a line of the file, and what is not are
// policies that can be sent to librad, and that it takes.
#include <algorithm>

#include "config.h"
#include "fuzz.h"
#include "policy_set.h"

using namespace libra;

namespace {

// "f:LINE: why"
void check_refusal(const std::string& why, std::string_view text) {
    const std::size_t colon = why.find(':', 2);
    require(why.starts_with("f:") && colon != std::string::npos && colon + 2 < why.size(),
            "a refusal without a place");
    const unsigned long line = std::strtoul(why.c_str() + 2, nullptr, 10);
    const auto lines = 1 + static_cast<unsigned long>(std::count(text.begin(), text.end(), '\n'));
    require(line >= 1 && line <= lines, "a refusal at a line that is not there");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto config = parse_config(text, "f");
    if (!config) {
        check_refusal(config.error().message(), text);
        return 0;
    }
    std::vector<NewPolicy> all;
    for (const AttachRequest& policy : config->policies) {
        const auto again = parse_policy(policy_json(policy));
        require(again && *again == policy, "a policy that cannot be sent");
        // What a cgroup or a namespace is can only be known where it is.
        if (!policy.netns.empty() || !policy.cgroup.empty())
            return 0;
        all.push_back({policy, {.netns_cookie = 1, .cgroup_id = 0}, Origin::config});
    }
    PolicySet set;
    require(static_cast<bool>(set.change({}, all)), "policies that librad does not take");
    require(set.compile().count <= LIBRA_MAX_RULES, "more rules than there is room for");
    return 0;
}
