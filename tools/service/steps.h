// SPDX-License-Identifier: GPL-2.0-only
// Attaching a service, and taking it back: what is done in which order, and what of it is undone
// when something fails.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "drop_in.h"
#include "error.h"
#include "host.h"
#include "protocol.h"
#include "systemctl.h"

namespace libra::service {

enum class Restart { ask, yes, no };

struct Choices {
    Wishes wishes;
    bool runtime = false;  // until the next boot
    bool dry_run = false;
    Restart restart = Restart::ask;
    std::chrono::seconds wait{10};  // for traffic
};

// Who asked for it. What is said is for people; programs have the outcome.
struct Dialogue {
    std::function<void(const std::string& text)> say;
    std::function<bool(const std::string& question)> agree;
};

struct Outcome {
    bool proved = true;  // false: it is done, and does not do what it should
    Json json;
};

struct Context {
    const Host& host;
    const Systemctl& systemd;
    const Dialogue& dialogue;
    std::optional<Json> policies;  // librad's status, where one runs
};

// An error says that nothing is changed, or what is.
Result<Outcome> attach_service(const Context& context, const std::string& name,
                               const Choices& choices);
Result<Outcome> detach_service(const Context& context, const std::string& name,
                               const Choices& choices);

}  // namespace libra::service
