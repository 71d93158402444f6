// SPDX-License-Identifier: GPL-2.0-only
// A parser in the kernel.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "bpf_object.h"
#include "parser_object.h"
#include "parser_state.h"

namespace libra {

// One that the kernel has verified, and that is not registered yet.
struct PreparedParser {
    KnownParser about;
    BpfObject object;

    static Result<PreparedParser> load(const ParserObject& parser);
};

// Registered with the kernel for as long as this lives, or its pin.
class Parser {
  public:
    // @pin: a file in a BPF file system, or empty.
    static Result<Parser> enter(PreparedParser prepared, const std::string& pin);
    // One that another librad pinned; only its id is known then.
    static Result<Parser> open(const std::string& name, const std::string& pin);

    // Connections go on with the other one where they are; or nothing has changed.
    Status replace(PreparedParser prepared);
    // It is registered for as long as this lives, from now on.
    Status unpin();

    const KnownParser& about() const { return about_; }
    void tell(KnownParser about) { about_ = std::move(about); }

  private:
    Parser(KnownParser about, std::optional<BpfObject> object, BpfLink link, std::string pin)
        : about_(std::move(about)),
          object_(std::move(object)),
          link_(std::move(link)),
          pin_(std::move(pin)) {}

    KnownParser about_;
    std::optional<BpfObject> object_;  // none: another librad loaded it
    BpfLink link_;                     // after object_: unregistered before the object closes
    std::string pin_;
};

}  // namespace libra
