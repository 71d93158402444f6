// SPDX-License-Identifier: GPL-2.0-only
#include "explain.h"

#include <fmt/format.h>

#include "container.h"
#include "known_programs.h"
#include "processes.h"
#include "unit_name.h"

namespace libra::service {
namespace {

constexpr std::string_view kNoAllocator = "a process that runs cannot be given another allocator";

Explanation make(std::string why, std::vector<std::string> lines) {
    Explanation explanation{std::move(why), std::move(lines), {}};
    explanation.json = {{"ok", false}, {"error", explanation.why}, {"lines", explanation.lines}};
    return explanation;
}

std::string run_command(const Wishes& wishes) {
    std::string options;
    if (wishes.library != kLibrary)
        options += fmt::format(" --library {}", wishes.library.string());
    if (wishes.min_block)
        options += fmt::format(" --min-block {}", *wishes.min_block);
    return fmt::format("libractl run{} -- PROGRAM [ARGUMENT]...", options);
}

// Of its first process; empty, if it cannot be seen.
std::filesystem::path program_of(const Host& host, const Container& container) {
    std::error_code error;
    return std::filesystem::read_symlink(host.proc / fmt::format("{}", container.pid) / "exe",
                                         error);
}

Result<Explanation> explain_container(const Host& host, const Target& target,
                                      const Wishes& wishes) {
    const auto container = inspect_container(target.runtime, target.name);
    if (!container)
        return container.error();
    if (is_musl(host, *container))
        return Error(fmt::format("the container {} is built on musl, and the library on glibc: "
                                 "take an image with glibc, such as Debian's",
                                 target.name),
                     ENOEXEC);
    const auto access = device_access(host.device);
    if (!access)
        return access.error();
    std::vector<std::string> lines{fmt::format("{} run \\", target.runtime)};
    auto options = run_options(*container, wishes.library, host.device, *access);
    if (const auto min_block =
            min_block_for(program_of(host, *container), wishes, container->min_block))
        options.push_back(fmt::format("-e {}={}", kMinBlock, *min_block));
    for (const std::string& option : options)
        lines.push_back(fmt::format("    {} \\", option));
    lines.push_back(fmt::format("    … {}", container->image));
    return make(fmt::format("the environment of a container that runs cannot be changed: start {} "
                            "anew, with these options beside its own",
                            target.name),
                std::move(lines));
}

// By the cgroup it is in.
Explanation explain_owner(const Owner& owner, const std::string& what, const Wishes& wishes) {
    switch (owner.kind) {
        case Owner::Kind::service:
            return make(
                fmt::format("{}; it belongs to {}, which can be attached", what, shown(owner.name)),
                {fmt::format("libractl attach {}", shown(owner.name))});
        case Owner::Kind::container:
            return make(
                fmt::format("{}; it is in the container {}", what, owner.name.substr(0, 12)),
                {fmt::format("libractl attach docker:{}", owner.name.substr(0, 12)),
                 fmt::format("libractl attach podman:{}", owner.name.substr(0, 12))});
        case Owner::Kind::user_service: {
            auto explanation = explain_user_service(shown(owner.name), wishes);
            explanation.why = fmt::format("{}; {}", what, explanation.why);
            explanation.json["error"] = explanation.why;
            return explanation;
        }
        case Owner::Kind::nobody:
            break;
    }
    return make(fmt::format("{}, and no service of systemd's started it: whoever starts it has to "
                            "say",
                            what),
                {run_command(wishes)});
}

}  // namespace

Explanation explain_user_service(const std::string& name, const Wishes& wishes) {
    std::vector<std::string> lines{
        fmt::format("systemctl --user edit {}", name), "[Service]",
        fmt::format("Environment={}={}", kPreload, wishes.library.string())};
    // Its manager is not asked what it runs.
    if (const auto min_block = min_block_for(name.substr(0, name.rfind(".service")), wishes, false))
        lines.push_back(fmt::format("Environment={}={}", kMinBlock, *min_block));
    lines.push_back(fmt::format("systemctl --user restart {}", name));
    return make(fmt::format("{} is a user's own service, whose manager libractl does not ask: that "
                            "user writes it, and has to be in the group of /dev/libra (udev rule "
                            "60-libra.rules; usermod -aG libra USER)",
                            name),
                std::move(lines));
}

Result<Explanation> explain(const Host& host, const Target& target, const Wishes& wishes) {
    switch (target.kind) {
        case Kind::container:
            return explain_container(host, target, wishes);
        case Kind::process: {
            const auto cgroup = cgroup_of(host, target.pid);
            if (!cgroup)
                return cgroup.error();
            return explain_owner(owner_of(*cgroup), std::string(kNoAllocator), wishes);
        }
        case Kind::cgroup: {
            const auto pids = processes_of(host, target.name);
            return explain_owner(owner_of(target.name),
                                 fmt::format("{} ({} in the cgroup {})", kNoAllocator, pids.size(),
                                             shown(target.name)),
                                 wishes);
        }
        case Kind::service:
            break;
    }
    return Error(fmt::format("{} is a service", target.name), EINVAL);
}

Explanation explain_user_detach(const std::string& name, const Wishes& wishes) {
    return make(fmt::format("{} is a user's own service, whose manager libractl does not ask: that "
                            "user takes out again what has {} and {} in it",
                            name, wishes.library.string(), kMinBlock),
                {fmt::format("systemctl --user edit {}", name),
                 fmt::format("systemctl --user restart {}", name)});
}

Result<Explanation> explain_detach(const Host& host, const Target& target, const Wishes& wishes) {
    std::string cgroup = target.name;
    if (target.kind == Kind::process) {
        auto found = cgroup_of(host, target.pid);
        if (!found)
            return std::move(found).error();
        cgroup = std::move(*found);
    }
    const Owner owner = target.kind == Kind::container ? Owner{Owner::Kind::container, target.name}
                                                       : owner_of(cgroup);
    switch (owner.kind) {
        case Owner::Kind::service:
            return make(fmt::format("{}; it belongs to {}, which can be detached", kNoAllocator,
                                    shown(owner.name)),
                        {fmt::format("libractl detach {}", shown(owner.name))});
        case Owner::Kind::user_service:
            return explain_user_detach(shown(owner.name), wishes);
        case Owner::Kind::container:
            return Error(fmt::format("the environment of a container that runs cannot be changed: "
                                     "start {} anew without {} in its {}, and without {}",
                                     shown(owner.name), wishes.library.string(), kPreload,
                                     host.device.string()),
                         EBUSY);
        case Owner::Kind::nobody:
            break;
    }
    return Error(fmt::format("{}, and no service of systemd's started it: whoever starts it has to "
                             "do so without {} in its {}",
                             kNoAllocator, wishes.library.string(), kPreload),
                 EBUSY);
}

}  // namespace libra::service
