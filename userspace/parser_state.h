// SPDX-License-Identifier: GPL-2.0-only
// What librad knows of parsers that are pinned (see pins.h), kept for the next librad: the
// kernel knows their names, but neither versions nor where they came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "parser_info.h"

namespace libra {

struct KnownParser {
    ParserInfo info;
    std::string origin;
    std::string build;     // as in ParserObject; empty: not known
    std::uint32_t id = 0;  // of its struct_ops map
    bool operator==(const KnownParser&) const = default;
};

// As text, and back. What is not understood is refused as a whole.
std::string format_parsers(const std::vector<KnownParser>& parsers);
Result<std::vector<KnownParser>> parse_parsers(std::string_view text);

// It may tell of more parsers than there are, as one is told of before it is registered: by
// their ids it is seen which ones are there, however the last librad ended.
class ParserState {
  public:
    explicit ParserState(std::string path) : path_(std::move(path)) {}

    Status save(const std::vector<KnownParser>& parsers) const;
    // None if there is no file.
    Result<std::vector<KnownParser>> load() const;

  private:
    std::string path_;
};

}  // namespace libra
