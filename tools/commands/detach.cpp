// SPDX-License-Identifier: GPL-2.0-only
#include <cstdint>
#include <memory>

#include "commands.h"

namespace libra {

Run add_detach(CLI::App& command) {
    struct Options {
        std::uint32_t id = 0;
        bool all = false;
    };
    const auto options = std::make_shared<Options>();
    auto* id = command.add_option("ID", options->id, "policy id, as attach printed it");
    auto* all = command.add_flag("--all", options->all, "all policies");
    id->excludes(all);
    command.final_callback([id, all] {
        if (id->empty() && all->empty())
            throw CLI::RequiredError("a policy id or --all");
    });
    return [options](const Session& session) {
        DetachRequest request;
        if (!options->all)
            request.policy = options->id;
        return ask_librad(session, request, [](const Json&) {});
    };
}

}  // namespace libra
