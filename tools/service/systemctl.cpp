// SPDX-License-Identifier: GPL-2.0-only
#include "systemctl.h"

#include <fmt/format.h>

#include <sstream>

#include "subprocess.h"

namespace libra::service {
namespace {

constexpr std::chrono::seconds kAnswer{60};  // an emulated machine takes its time

}  // namespace

Result<std::string> Systemctl::ask(std::vector<std::string> arguments,
                                   std::chrono::seconds limit) const {
    const std::string word = arguments.at(0);
    arguments.insert(arguments.begin(), {program_, "--system", "--no-pager", "--no-ask-password"});
    auto output = run_program(arguments, limit);
    if (!output) {
        if (output.error().code() == ENOENT)
            return Error(
                "there is no systemctl: without systemd, start the program by "
                "'libractl run -- PROGRAM'",
                ENOENT);
        return std::move(output).error();
    }
    if (output->status != 0)
        return Error(fmt::format("systemctl {}: {}", word, output->complaint()));
    return std::move(output->out);
}

Result<Properties> Systemctl::show(const std::string& unit,
                                   const std::vector<std::string>& names) const {
    const auto text =
        ask({"show", fmt::format("--property={}", fmt::join(names, ",")), "--", unit}, kAnswer);
    if (!text)
        return text.error();
    Properties properties;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        if (equals != std::string::npos)
            properties.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    return properties;
}

Result<std::string> Systemctl::value(const std::string& unit, const std::string& name) const {
    return ask({"show", "--value", "--property=" + name, "--", unit}, kAnswer);
}

Result<std::string> Systemctl::manager_environment() const {
    return ask({"show-environment"}, kAnswer);
}

Status Systemctl::daemon_reload() const {
    const auto said = ask({"daemon-reload"}, kAnswer);
    if (!said)
        return said.error();
    return Ok{};
}

Status Systemctl::restart(const std::string& unit, std::chrono::seconds limit) const {
    const auto said = ask({"restart", "--", unit}, limit);
    if (!said)
        return said.error();
    return Ok{};
}

}  // namespace libra::service
