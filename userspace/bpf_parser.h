// SPDX-License-Identifier: GPL-2.0-only
// The parsers that are built into librad.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_object.h"
#include "pins.h"

namespace libra {

std::vector<std::string> known_parsers();

// A refusal that lists what there is, or Ok.
Status check_parser_name(std::string_view name);

// A parser that is registered with the kernel, for as long as this lives.
class Parser {
  public:
    // With @pins it stays registered after that, and one that is there is left as it is.
    static Result<Parser> load(const std::string& name, const Pins* pins = nullptr);

  private:
    Parser(std::optional<BpfObject> object, BpfLink link)
        : object_(std::move(object)), link_(std::move(link)) {}

    std::optional<BpfObject> object_;  // none: another librad loaded it
    BpfLink link_;                     // after object_: unregistered before the object closes
};

}  // namespace libra
