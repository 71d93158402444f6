// SPDX-License-Identifier: GPL-2.0-only
#include "target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "container.h"
#include "unit.h"
#include "unit_name.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kService = ".service";
constexpr std::string_view kScope = ".scope";

bool is_id(std::string_view text) {
    constexpr std::size_t kShortest = 12;
    return text.size() >= kShortest &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// docker-ID.scope, libpod-ID.scope, or .../docker/ID.
std::string container_id(std::string_view part, std::string_view before) {
    if (part.ends_with(kScope)) {
        part.remove_suffix(kScope.size());
        for (const std::string_view prefix : {"docker-", "libpod-"}) {
            if (part.starts_with(prefix) && is_id(part.substr(prefix.size())))
                return std::string(part.substr(prefix.size()));
        }
        return "";
    }
    const bool below = before == "docker" || before == "libpod_parent";
    if (part.starts_with("libpod-"))
        part.remove_prefix(std::string_view("libpod-").size());
    return below && is_id(part) ? std::string(part) : "";
}

Result<Target> resolve_process(std::string_view text) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || end != text.data() + text.size() || pid <= 0)
        return Error(fmt::format("{} is not the number of a process", shown(text)), EINVAL);
    return Target{.kind = Kind::process, .name = std::string(text), .runtime = "", .pid = pid};
}

Result<Target> resolve_cgroup(const Host& host, std::string_view text) {
    std::error_code error;
    const fs::path path = fs::canonical(fs::path(text), error);
    const fs::path below = path.lexically_relative(fs::canonical(host.cgroups, error));
    if (error || below.empty() || *below.begin() == "..")
        return Error(fmt::format("{} is not the directory of a cgroup below {}", shown(text),
                                 host.cgroups.string()),
                     ENOENT);
    if (!fs::exists(path / "cgroup.procs", error))
        return Error(fmt::format("{} is not a cgroup: it has no cgroup.procs", shown(text)),
                     ENOENT);
    const std::string cgroup = below == "." ? "/" : "/" + below.string();
    const Owner owner = owner_of(cgroup);
    if (owner.kind == Owner::Kind::service) {
        auto name = service_name(owner.name);
        if (!name)
            return std::move(name).error();
        return Target{.kind = Kind::service, .name = std::move(*name), .runtime = "", .pid = 0};
    }
    return Target{.kind = Kind::cgroup, .name = cgroup, .runtime = "", .pid = 0};
}

Result<Target> resolve_container(std::string_view runtime, std::string_view name) {
    if (auto status = check_container_name(name); !status)
        return std::move(status).error();
    return Target{.kind = Kind::container,
                  .name = std::string(name),
                  .runtime = std::string(runtime),
                  .pid = 0};
}

// Neither name says what it is: a service goes first.
Result<Target> resolve_name(const Host& host, const Systemctl& systemd, std::string_view text) {
    auto name = service_name(text);
    if (!name)
        return std::move(name).error();
    Target service{.kind = Kind::service, .name = *name, .runtime = "", .pid = 0};
    if (text.ends_with(kService))
        return service;
    const auto running = systemd_runs(host);
    const auto properties =
        running ? systemd.show(*name, {"LoadState"}) : Result<Properties>(running.error());
    const auto state = properties ? properties->find("LoadState") : Properties::const_iterator();
    if (properties && state != properties->end() && state->second != "not-found")
        return service;
    if (check_container_name(text)) {
        for (const std::string_view runtime : kRuntimes) {
            if (inspect_container(runtime, text))
                return resolve_container(runtime, text);
        }
    }
    if (!properties)
        return properties.error();
    return Error(
        fmt::format("there is neither a service {} nor a running container {}", *name, text),
        ENOENT);
}

}  // namespace

Owner owner_of(std::string_view cgroup) {
    std::string_view before;
    bool of_user = false;
    // Below anything but slices and a user's manager it is a guest's, whose names are its own.
    bool ours = true;
    while (!cgroup.empty()) {
        const auto end = std::min(cgroup.find('/'), cgroup.size());
        const std::string_view part = cgroup.substr(0, end);
        cgroup.remove_prefix(std::min(end + 1, cgroup.size()));
        if (auto id = container_id(part, before); !id.empty())
            return {Owner::Kind::container, std::move(id)};
        const bool manager = part.starts_with("user@") && !cgroup.empty();
        if (part.ends_with(kService) && !manager && ours)
            return {of_user ? Owner::Kind::user_service : Owner::Kind::service, std::string(part)};
        ours &= part.empty() || manager || part.ends_with(".slice");
        of_user |= manager;
        before = part;
    }
    return {};
}

Result<Target> resolve(const Host& host, const Systemctl& systemd, std::string_view text) {
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos)
        return resolve_process(text);
    if (text.starts_with('/'))
        return resolve_cgroup(host, text);
    for (const std::string_view runtime : kRuntimes) {
        if (text.starts_with(runtime) && text.substr(runtime.size()).starts_with(':'))
            return resolve_container(runtime, text.substr(runtime.size() + 1));
    }
    return resolve_name(host, systemd, text);
}

}  // namespace libra::service
