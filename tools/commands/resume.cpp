// SPDX-License-Identifier: GPL-2.0-only
#include <memory>

#include "commands.h"

namespace libra {

Run add_resume(CLI::App& command) {
    const auto request = std::make_shared<ResumeRequest>();
    command.add_option("ID", request->policy, "policy id, as status shows it")->required();
    return [request](const Session& session) {
        return ask_librad(session, *request, [](const Json&) {});
    };
}

}  // namespace libra
