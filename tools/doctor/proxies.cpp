// SPDX-License-Identifier: GPL-2.0-only
#include "proxies.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "files.h"
#include "size.h"

namespace libra::doctor {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr const char* kNginxPath = "/etc/nginx/nginx.conf";
constexpr const char* kHaproxyPath = "/etc/haproxy/haproxy.cfg";

Words split(std::string_view text, char by) {
    Words out;
    while (!text.empty()) {
        const std::size_t end = text.find(by);
        if (end != 0)
            out.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

// nginx writes its title over its arguments, with spaces between them.
Words arguments_of(const Machine& machine, const std::string& process) {
    constexpr std::string_view kTitle = "nginx: master process ";
    const std::string line = machine.text(process + "/cmdline");
    if (line.starts_with(kTitle))
        return split(std::string_view(line).substr(kTitle.size(), line.find('\0') - kTitle.size()),
                     ' ');
    return split(line, '\0');
}

// 0 where there is none.
template <typename Number>
Number status_field(const Machine& machine, const std::string& process, std::string_view label) {
    return static_cast<Number>(labelled(machine.text(process + "/status"), label).value_or(0));
}

// Another root may be a chroot, which it went into when it had read its configuration.
bool is_elsewhere(const Machine& machine, const std::string& process) {
    const auto ours = machine.status("/proc/self/root/.");
    const auto theirs = machine.status(process + "/root/.");
    const std::string our_mounts = machine.link("/proc/self/ns/mnt");
    const std::string their_mounts = machine.link(process + "/ns/mnt");
    return ours && theirs && (ours->st_dev != theirs->st_dev || ours->st_ino != theirs->st_ino) &&
           !their_mounts.empty() && our_mounts != their_mounts;
}

std::string joined_path(const std::string& directory, const std::string& path) {
    return (fs::path(directory) / path).lexically_normal().string();
}

// The value of -c PATH or -cPATH. The last one counts.
std::optional<std::string> option_of(const Words& arguments, char name) {
    const std::string option{'-', name};
    std::optional<std::string> value;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        if (arguments[i] == option && i + 1 < arguments.size())
            value = arguments[++i];
        else if (arguments[i].starts_with(option) && arguments[i].size() > option.size())
            value = arguments[i].substr(option.size());
    }
    return value;
}

std::string nginx_binary_path(const Machine& machine, const std::string& binary, const char* option,
                              const char* otherwise) {
    const auto text = read_regular_file(machine.path(binary).string());
    const std::string value = text ? configured(*text, option) : "";
    return value.empty() ? otherwise : value;
}

void configure(const Machine& machine, Proxy& proxy, uid_t reader) {
    const std::string process = "/proc/" + std::to_string(proxy.pid);
    const auto owner = status_field<uid_t>(machine, process, "\nUid:");
    // Root may read what they may not, and would quote it.
    if (reader == 0 && owner != 0) {
        proxy.note = fmt::format(
            "it belongs to the user {}, who can give it any file's name: name its configuration by "
            "--{}-conf, or run libractl doctor as that user",
            owner, proxy.program);
        return;
    }
    if (is_elsewhere(machine, process)) {
        proxy.note = fmt::format(
            "it runs in a container: nginx -T there, and --nginx-conf with "
            "what that prints; or --haproxy-conf");
        return;
    }
    const Words arguments = arguments_of(machine, process);
    const std::string directory = machine.link(process + "/cwd");
    if (proxy.program == "haproxy") {
        proxy.configuration = haproxy_configuration(arguments, directory);
        if (proxy.configuration.empty())
            proxy.note = "which configuration it reads cannot be told: name it by --haproxy-conf";
        return;
    }
    const std::string binary = process + "/exe";
    proxy.configuration = {nginx_configuration(
        arguments, directory, nginx_binary_path(machine, binary, "--conf-path=", kNginxPath),
        nginx_binary_path(machine, binary, "--prefix=", "/usr/local/nginx"))};
}

}  // namespace

std::string Proxy::title() const {
    std::string out = program;
    if (pid)
        out += fmt::format(", pid {}", pid);
    if (!configuration.empty())
        out += fmt::format(", {}", fmt::join(configuration, ", "));
    return out;
}

std::string configured(std::string_view binary, std::string_view option) {
    const std::size_t at = binary.find(option);
    if (at == std::string_view::npos)
        return "";
    const std::string_view value = binary.substr(at + option.size());
    return std::string(value.substr(0, value.find_first_of(std::string_view(" '\"\0\n", 5))));
}

std::string nginx_configuration(const std::vector<std::string>& arguments,
                                const std::string& working_directory,
                                const std::string& built_in_path,
                                const std::string& built_in_prefix) {
    const std::string prefix =
        joined_path(working_directory, option_of(arguments, 'p').value_or(built_in_prefix));
    return joined_path(prefix, option_of(arguments, 'c').value_or(built_in_path));
}

std::vector<std::string> haproxy_configuration(const std::vector<std::string>& arguments,
                                               const std::string& working_directory) {
    std::string directory = working_directory;
    std::vector<std::string> paths;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const bool has_next = i + 1 < arguments.size();
        if (arguments[i] == "-f" && has_next) {
            paths.push_back(arguments[++i]);
        } else if (arguments[i] == "-C" && has_next) {
            directory = joined_path(directory, arguments[++i]);
        } else if (arguments[i] == "--") {
            paths.insert(paths.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                         arguments.end());
            break;
        }
    }
    for (std::string& path : paths)
        path = joined_path(directory, path);
    return paths;
}

std::vector<Proxy> find_proxies(const Machine& machine, uid_t reader) {
    std::map<int, std::string> names;
    std::map<int, int> parents;
    for (const std::string& entry : machine.list("/proc")) {
        const auto pid = parse_number(entry);
        const std::string process = "/proc/" + entry;
        if (!pid)
            continue;
        const std::string name = machine.text(process + "/comm");
        if (name != "nginx" && name != "haproxy")
            continue;
        names[static_cast<int>(*pid)] = name;
        parents[static_cast<int>(*pid)] = status_field<int>(machine, process, "\nPPid:");
    }
    std::vector<Proxy> proxies;
    for (const auto& [pid, name] : names) {
        const auto parent = names.find(parents[pid]);
        if (parent != names.end() && parent->second == name)
            continue;
        Proxy proxy{name, pid, {pid}, {}, ""};
        for (const auto& [child, its_parent] : parents) {
            if (its_parent == pid && names[child] == name)
                proxy.processes.push_back(child);
        }
        configure(machine, proxy, reader);
        proxies.push_back(std::move(proxy));
    }
    const auto runs = [&](const char* name) {
        return std::ranges::find(proxies, name, &Proxy::program) != proxies.end();
    };
    if (!runs("nginx") && machine.exists("/usr/sbin/nginx"))
        proxies.push_back(
            {"nginx",
             0,
             {},
             {nginx_binary_path(machine, "/usr/sbin/nginx", "--conf-path=", kNginxPath)},
             ""});
    if (!runs("haproxy") && machine.exists("/usr/sbin/haproxy"))
        proxies.push_back({"haproxy", 0, {}, {kHaproxyPath}, ""});
    return proxies;
}

}  // namespace libra::doctor
