// SPDX-License-Identifier: GPL-2.0-only
#include "container.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "protocol.h"
#include "subprocess.h"
#include "unit_name.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kAnswer{30};

std::string text_at(const Json& json, const char* part, const char* field) {
    if (!json.is_object() || !json.contains(part) || !json[part].is_object())
        return "";
    const Json& object = json[part];
    return object.contains(field) && object[field].is_string() ? object[field].get<std::string>()
                                                               : "";
}

std::optional<std::string> variable(const Json& json, std::string_view name) {
    const std::string begin = fmt::format("{}=", name);
    if (!json.contains("Config") || !json["Config"].is_object() ||
        !json["Config"].contains("Env") || !json["Config"]["Env"].is_array())
        return std::nullopt;
    for (const Json& each : json["Config"]["Env"]) {
        if (each.is_string() && each.get<std::string>().starts_with(begin))
            return each.get<std::string>().substr(begin.size());
    }
    return std::nullopt;
}

// For a shell, if it needs that.
std::string shell_word(std::string_view text) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:=,@";
    if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos)
        return std::string(text);
    std::string quoted = "'";
    for (const char c : text)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

}  // namespace

Status check_container_name(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const bool right =
        !name.empty() && plain(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
            return plain(c) || c == '_' || c == '.' || c == '-';
        });
    if (!right)
        return Error(fmt::format("'{}' is not the name of a container", shown(name)), EINVAL);
    return Ok{};
}

Result<Container> inspect_container(std::string_view runtime, std::string_view name) {
    if (auto status = check_container_name(name); !status)
        return std::move(status).error();
    auto output = run_program({std::string(runtime), "inspect", "--type", "container", "--format",
                               "{{json .}}", std::string(name)},
                              kAnswer);
    if (!output) {
        if (output.error().code() == ENOENT)
            return Error(fmt::format("there is no {}", runtime), ENOENT);
        return std::move(output).error();
    }
    if (output->status != 0)
        return Error(fmt::format("{}: {}", runtime, output->complaint()), ENOENT);
    return parse_container(runtime, output->out);
}

Result<Container> parse_container(std::string_view runtime, std::string_view inspected) {
    const Json json = Json::parse(inspected, nullptr, false);
    if (!json.is_object())
        return Error(fmt::format("{} inspect said what is not understood", runtime), EPROTO);
    Container container;
    container.runtime = runtime;
    container.name =
        json.contains("Name") && json["Name"].is_string() ? json["Name"].get<std::string>() : "";
    container.name.erase(0, container.name.find_first_not_of('/'));
    container.image = text_at(json, "Config", "Image");
    container.user = text_at(json, "Config", "User");
    container.preload = variable(json, kPreload).value_or("");
    container.min_block = variable(json, kMinBlock).has_value();
    if (json.contains("State") && json["State"].is_object() && json["State"].contains("Pid") &&
        json["State"]["Pid"].is_number_integer())
        container.pid = json["State"]["Pid"].get<pid_t>();
    return container;
}

std::vector<std::string> run_options(const Container& container, const fs::path& library,
                                     const fs::path& device, const Access& access) {
    std::vector<std::string> options{
        fmt::format("--device {}", device.string()),
        fmt::format("-v {0}:{0}:ro", library.string()),
        fmt::format("-e {}", shell_word(fmt::format("{}={}", kPreload,
                                                    merge_preload(container.preload, library)))),
    };
    const bool root = container.user.empty() || container.user == "root" || container.user == "0" ||
                      container.user.starts_with("0:") || container.user.starts_with("root:");
    if (!root && !access.group.empty())
        options.push_back(fmt::format("--group-add {}", access.group_id));
    return options;
}

bool is_musl(const Host& host, const Container& container) {
    if (container.pid == 0)
        return false;
    std::error_code error;
    for (fs::directory_iterator
             at(host.proc / fmt::format("{}", container.pid) / "root/lib", error),
         end;
         !error && at != end; at.increment(error)) {
        if (at->path().filename().string().starts_with("ld-musl"))
            return true;
    }
    return false;
}

}  // namespace libra::service
