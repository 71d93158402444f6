// SPDX-License-Identifier: GPL-2.0-only
// The kernel's side of librad as files of a BPF file system, by which it goes on when librad
// ends, crashes or is upgraded: connections are attached, parsed and counted meanwhile.
//
//   DIR/format-N/MAP               maps, used by each librad in turn
//   DIR/format-N/links-G/PROGRAM   what is attached, by the librad that came G-th
//   DIR/format-N/parsers/NAME      parsers that are registered
#pragma once

#include <bpf/libbpf.h>

#include <string>
#include <utility>
#include <vector>

#include "error.h"

namespace libra {

class Pins {
  public:
    // Makes the directory. Its parent has to be in a BPF file system.
    static Result<Pins> open(const std::string& directory);

    std::string map_path(const char* map) const { return directory_ + "/" + map; }
    std::string parser_path(const std::string& name) const {
        return directory_ + "/parsers/" + name;
    }

    // The names of those that are there.
    Result<std::vector<std::string>> parsers() const;

    // Links that are attached by now take the place of those that were pinned before. At any
    // moment there are all of the one, or of the other.
    Status replace_links(const std::vector<std::pair<std::string, bpf_link*>>& links) const;

    // All of it, of this format and others, under @directory: nothing is attached any more.
    static Status remove(const std::string& directory);

  private:
    explicit Pins(std::string directory) : directory_(std::move(directory)) {}

    std::string directory_;  // of the format
};

}  // namespace libra
