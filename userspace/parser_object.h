// SPDX-License-Identifier: GPL-2.0-only
// Parsers as BPF objects: those that are built into librad, and those in files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "parser_info.h"

namespace libra {

struct ParserObject {
    ParserInfo info;
    std::string origin;  // its file, or "built in"
    std::string build;   // tells objects of the same version apart
    std::vector<std::byte> elf;
};

std::vector<std::string> builtin_parsers();
// Or a refusal that lists those there are.
Result<ParserObject> builtin_parser(std::string_view name);

// More than any parser has; http1 has a fortieth of it.
inline constexpr std::size_t kMaxParserObject = 4 * 1024 * 1024;

// Read once, so that what was checked is what is loaded.
Result<ParserObject> read_parser(const std::string& path);

}  // namespace libra
