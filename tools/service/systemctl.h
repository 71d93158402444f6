// SPDX-License-Identifier: GPL-2.0-only
// systemd, asked by its own command line tool: that is there wherever systemd is, says the same
// over all versions, and needs no bus.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "error.h"

namespace libra::service {

// Some properties come once for each of their values.
using Properties = std::multimap<std::string, std::string>;

class Systemctl {
  public:
    explicit Systemctl(std::string program = "systemctl") : program_(std::move(program)) {}

    // Only of values that cannot hold a newline: what comes after one would look like another.
    Result<Properties> show(const std::string& unit, const std::vector<std::string>& names) const;

    // All there is of one property, whatever is in it.
    Result<std::string> value(const std::string& unit, const std::string& name) const;

    // What systemd gives to every service.
    Result<std::string> manager_environment() const;

    Status daemon_reload() const;
    // Waits for the end of the job. ETIMEDOUT: the job goes on.
    Status restart(const std::string& unit, std::chrono::seconds limit) const;

  private:
    Result<std::string> ask(std::vector<std::string> arguments, std::chrono::seconds limit) const;

    std::string program_;
};

}  // namespace libra::service
