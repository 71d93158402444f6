// SPDX-License-Identifier: GPL-2.0-only
// What a shell asks libractl to complete its command line; see completion/.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>

namespace libra {

// The word with which a shell asks, before the words that are there: libractl __complete config c
inline constexpr const char* kComplete = "__complete";

// What the last of these words may become: a line for each, with a tab before what it means.
// Nothing: something that only the user knows, such as a file.
std::string complete(const CLI::App& app, std::span<const char* const> words);

}  // namespace libra
