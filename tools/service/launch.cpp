// SPDX-License-Identifier: GPL-2.0-only
#include "launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "known_programs.h"
#include "preload.h"
#include "program_file.h"
#include "unique_fd.h"

namespace libra::service {
namespace {

// It is what the library will do.
Status opens(const std::filesystem::path& device) {
    const auto access = device_access(device);
    if (!access)
        return access.error();
    const UniqueFd fd(open(device.c_str(), O_RDWR | O_CLOEXEC));
    if (fd)
        return Ok{};
    const int code = errno;
    const Error error = Error::from_errno(device.string(), code);
    if (code == EACCES && !access->group.empty())
        return Error(fmt::format("{}: be root, or a member of the group {} (usermod -aG {} USER)",
                                 error.message(), access->group, access->group),
                     code);
    if (code == EACCES)
        return Error(
            error.message() + ": be root, or give it to a group by the udev rule 60-libra.rules",
            code);
    if (code == EPERM)
        return Error(error.message() +
                         ": the unit or container needs DeviceAllow=/dev/libra rw, "
                         "or --device /dev/libra",
                     code);
    return error;
}

}  // namespace

Result<Launch> plan_launch(const Host& host, const Wishes& wishes, bool verbose,
                           const std::vector<std::string>& command) {
    const auto program = find_program(command.at(0));
    if (!program)
        return program.error();
    if (auto status = check_library(wishes.library); !status)
        return std::move(status).error();
    if (auto status = takes_preload(*program, {geteuid(), getegid()}); !status)
        return std::move(status).error();
    if (auto status = opens(host.device); !status)
        return std::move(status).error();
    if (auto status = lazy_is_on(host.proc); !status)
        return std::move(status).error();

    const char* there = std::getenv(kPreload);
    Launch launch{*program, {{kPreload, merge_preload(there ? there : "", wishes.library)}}};
    if (const auto min_block = min_block_for(*program, wishes, std::getenv(kMinBlock)))
        launch.environment.emplace_back(kMinBlock, fmt::format("{}", *min_block));
    if (verbose)
        launch.environment.emplace_back("LIBRA_MALLOC_VERBOSE", "1");
    return launch;
}

Error execute(const Launch& launch, const std::vector<std::string>& command) {
    for (const auto& [name, value] : launch.environment) {
        if (setenv(name.c_str(), value.c_str(), 1) != 0)
            return Error::from_errno(name);
    }
    std::vector<std::string> words = command;
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(launch.program.c_str(), pointers.data());
    return Error::from_errno(launch.program.string());
}

}  // namespace libra::service
