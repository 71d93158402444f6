// SPDX-License-Identifier: GPL-2.0-only
// The file that attaches a service: what has to be in it, and whether it is still as it was
// written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "preload.h"
#include "unit.h"

namespace libra::service {

inline constexpr const char* kDropIn = "libra.conf";

struct Wishes {
    std::filesystem::path library = kLibrary;
    std::optional<std::size_t> min_block;  // as LIBRA_MALLOC_MIN has it
};

struct Setting {
    std::string name;
    std::string value;
};

// The settings that give a service payload memory, beside what it has. An error says what is
// in their way, and who has to go.
Result<std::vector<Setting>> settings_for(const Unit& unit, const Wishes& wishes,
                                          const std::filesystem::path& device, const Access& access,
                                          std::string_view manager_environment);

// A file with these settings and a seal. made_directory: it is the first in its directory.
std::string compose(const std::vector<Setting>& settings, bool made_directory);

enum class Seal { whole, broken, none };

// none: libractl did not write it.
Seal check_seal(std::string_view text);
bool made_directory(std::string_view text);

// Is it in force, after systemd has read it? If not, the error says what stands against it.
Status in_force(const Unit& unit, const std::vector<Setting>& settings, const Wishes& wishes,
                const std::filesystem::path& file);

}  // namespace libra::service
