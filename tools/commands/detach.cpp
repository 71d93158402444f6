// SPDX-License-Identifier: GPL-2.0-only
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "commands.h"
#include "service_options.h"

namespace libra {
namespace {

struct Options {
    ServiceOptions service;  // its target may be a policy's id
    std::optional<std::uint32_t> policy;
    bool all = false;
};

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

void check(Options& options, const CLI::Option& target) {
    if (target.empty() && !options.all)
        throw CLI::RequiredError("a policy id, a service or --all");
    const std::string& text = options.service.target;
    if (!is_number(text) && !options.all)
        return;
    refuse_options_without_target(options.service);
    if (options.all)
        return;
    std::uint32_t id = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), id).ec != std::errc())
        throw CLI::ValidationError(target.get_name(), text + " is no policy id");
    options.policy = id;
}

}  // namespace

Run add_detach(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    auto* target = add_service_options(command, options->service, "TARGET",
                                       "policy id, as attach printed it, or a service");
    target->excludes(command.add_flag("--all", options->all, "all policies"));
    command.final_callback([options = options.get(), target] { check(*options, *target); });
    return [options](const Session& session) {
        if (!options->policy && !options->all)
            return detach_target(session, options->service);
        DetachRequest request;
        request.policy = options->policy;
        return ask_librad(session, request, [](const Json&) {});
    };
}

}  // namespace libra
