// SPDX-License-Identifier: GPL-2.0-only
// Prometheus metrics over HTTP, for this machine only: the kernel's counters, what the rules
// of each policy did, and how librad is.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "error.h"
#include "protocol.h"

namespace libra {

class Metrics {
  public:
    // Serves them at ADDR:PORT/metrics from now on, in threads of its own. The kernel's
    // counters are read for each request.
    static Result<Metrics> serve(const std::string& address);
    Metrics(Metrics&&) noexcept;
    Metrics& operator=(Metrics&&) noexcept;
    ~Metrics();

    // What librad last answered to a StatusRequest; called now and then.
    void update(const Json& status);

  private:
    struct Server;
    explicit Metrics(std::unique_ptr<Server> server);

    std::unique_ptr<Server> server_;
};

// Metrics where the configuration of the moment says.
class MetricsPlace {
  public:
    // Served at @address (empty: nowhere) from when what is returned is called; until then, and
    // if it never is, where they were.
    Result<std::function<void()>> move_to(const std::string& address);

    // Not before: threads are of the process that stays.
    Status begin();

    void update(const Json& status);

  private:
    bool begun_ = false;
    std::string address_;
    std::optional<Metrics> metrics_;
};

}  // namespace libra
