// SPDX-License-Identifier: GPL-2.0-only
// A machine in a directory: its units, processes and device, and a systemctl that answers from
// files and notes what it was told.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host.h"
#include "systemctl.h"

namespace libra::service {

class FakeHost {
  public:
    FakeHost();
    ~FakeHost();
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;

    std::filesystem::path path(const std::string& name) const { return directory_ / name; }
    void write(const std::string& name, const std::string& text) const;
    std::string read(const std::string& name) const;

    // What systemctl says of a unit: NAME=VALUE lines. Once its drop-in is there, @attached.
    void unit(const std::string& name, const std::string& plain,
              const std::string& attached = "") const;
    // The next ones of this word fail: daemon-reload, restart.
    void fail(const std::string& word) const;
    std::vector<std::string> told() const;

    Host host;
    Systemctl systemd;

  private:
    std::filesystem::path directory_;
};

}  // namespace libra::service
