// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include "error.h"
#include "protocol.h"
#include "unique_fd.h"

namespace libra {

// A connection to librad.
class Client {
  public:
    static Result<Client> connect(const std::string& socket_path);

    // One request, one answer line.
    Result<std::string> ask(const Request& request);

  private:
    explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

}  // namespace libra
