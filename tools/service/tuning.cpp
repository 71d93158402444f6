// SPDX-License-Identifier: GPL-2.0-only
#include "tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "doctor_report.h"

namespace libra::service {
namespace {

using doctor::ProxyReport;

// Who preloads the library and opens the device is looked at in payload_check, over all processes.
bool is_looked_at_here(const doctor::CheckResult& check) {
    return check.id == std::string_view("preload") || check.id == std::string_view("device");
}

bool is_of(const ProxyReport& report, const Unit& unit, const std::vector<pid_t>& processes) {
    if (processes.empty())
        return !report.proxy.pid && report.proxy.program == unit.program.filename();
    return std::find(processes.begin(), processes.end(), report.proxy.pid) != processes.end();
}

}  // namespace

Tuning tuning_of(const Host& host, const Unit& unit, const std::vector<pid_t>& processes,
                 const Wishes& wishes) {
    doctor::Question question;
    question.modes = doctor::kLazy;
    question.system = false;
    const doctor::Surroundings around{doctor::Machine(host.root), doctor::kLazy, {}};
    doctor::Diagnosis diagnosis = doctor::diagnose(question, around);
    std::erase_if(diagnosis.proxies,
                  [&](const ProxyReport& report) { return !is_of(report, unit, processes); });
    if (diagnosis.proxies.empty())
        return {};
    for (ProxyReport& report : diagnosis.proxies) {
        std::erase_if(report.checks, is_looked_at_here);
        if (wishes.min_block)
            report.checks.push_back(
                {"min-block",
                 {doctor::State::ok,
                  fmt::format(
                      "{}={} is in its drop-in: buffers from there on are in payload memory; "
                      "larger ones gain more",
                      kMinBlock, *wishes.min_block),
                  ""}});
    }
    Tuning tuning{doctor::text_report(diagnosis, question, false),
                  Json::parse(doctor::json_report(diagnosis, question))["proxies"]};
    tuning.text.erase(tuning.text.find_last_not_of('\n') + 1);
    return tuning;
}

}  // namespace libra::service
