// SPDX-License-Identifier: GPL-2.0-only
// What a BPF object says of the parser in it, read from its bytes before the kernel, or libbpf,
// is shown any of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "error.h"

namespace libra {

struct ParserInfo {
    std::string name;
    std::string version;
    std::uint32_t abi = 0;
    std::uint32_t keeps = 0;  // version of what it keeps in its scratch memory
    bool operator==(const ParserInfo&) const = default;
};

// Of any bytes. An error says what is wrong with them, or which ABI they are of and which are
// supported; what it returns agrees with what the kernel will read from the same bytes.
Result<ParserInfo> read_parser_info(std::span<const std::byte> elf);

}  // namespace libra
