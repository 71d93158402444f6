// SPDX-License-Identifier: GPL-2.0-only
#include "diagnosis.h"

#include <unistd.h>

#include <algorithm>

#include "haproxy_rules.h"
#include "nginx_rules.h"
#include "process_checks.h"

namespace libra::doctor {
namespace {

constexpr unsigned kUnsafe = kTokenUnsafe | kRequestsUnsafe;

void examine_nginx(ProxyReport& report) {
    const DiskFiles disk;
    const std::string& path = report.proxy.configuration.front();
    NginxConfig config;
    // What is not a dump is read again, as nginx would.
    if (const auto text = disk.read(path); text && is_nginx_dump(*text))
        config = read_nginx_dump(*text);
    else
        config = read_nginx_config(disk, path);
    report.findings = check_nginx(config);
    report.forwards = std::ranges::any_of(
        nginx_places(config), [](const NginxPlace& place) { return place.handler != nullptr; });
    report.files = std::move(config.files);
    report.problems = std::move(config.problems);
}

void examine_haproxy(ProxyReport& report) {
    HaproxyConfig config = read_haproxy_config(DiskFiles(), report.proxy.configuration);
    report.findings = check_haproxy(config);
    report.forwards = std::ranges::any_of(config.sections, [&](const auto& section) {
        return section->is_proxy() && HaproxyPlace(config, *section).forwards();
    });
    report.files = std::move(config.files);
    report.problems = std::move(config.problems);
}

std::vector<Proxy> proxies_of(const Question& question, const Machine& machine) {
    if (question.nginx.empty() && question.haproxy.empty())
        return find_proxies(machine, geteuid());
    std::vector<Proxy> named;
    for (const std::string& path : question.nginx)
        named.push_back({"nginx", 0, {}, {path}, ""});
    if (!question.haproxy.empty())
        named.push_back({"haproxy", 0, {}, question.haproxy, ""});
    return named;
}

bool is_bad(const CheckResult& result) {
    return result.verdict.state == State::bad;
}

}  // namespace

unsigned Question::concerns() const {
    unsigned concerns = 0;
    if (modes & kLazy)
        concerns |= kLazyConcerns;
    if (modes & kToken)
        concerns |= kTokenConcerns;
    if (!anchor_requests)
        concerns &= ~unsigned{kRequestsUnsafe};
    return concerns;
}

bool Diagnosis::is_broken() const {
    return std::ranges::any_of(system, is_bad) ||
           std::ranges::any_of(proxies, [](const ProxyReport& report) {
               return std::ranges::any_of(report.checks, is_bad) ||
                      std::ranges::any_of(report.findings, [](const Finding& finding) {
                          return (finding.rule->concerns & kUnsafe) != 0;
                      });
           });
}

bool Diagnosis::is_partial() const {
    return std::ranges::any_of(proxies, [](const ProxyReport& report) {
        return !report.problems.empty() || !report.proxy.note.empty();
    });
}

Diagnosis diagnose(const Question& question, const Surroundings& around) {
    Diagnosis out;
    if (question.system)
        out.system = check_system(around);
    if (!question.proxies)
        return out;
    for (Proxy& proxy : proxies_of(question, around.machine)) {
        ProxyReport report;
        report.proxy = std::move(proxy);
        if (question.modes & kLazy)
            report.checks = check_processes(around.machine, report.proxy);
        if (!report.proxy.configuration.empty()) {
            if (report.proxy.program == "nginx")
                examine_nginx(report);
            else
                examine_haproxy(report);
        }
        if (question.modes & kToken && !question.anchor_requests)
            out.unasked += static_cast<std::size_t>(std::ranges::count_if(
                report.findings,
                [](const Finding& finding) { return finding.rule->concerns == kRequestsUnsafe; }));
        std::erase_if(report.findings, [&](const Finding& finding) {
            return (finding.rule->concerns & question.concerns()) == 0;
        });
        std::stable_partition(
            report.findings.begin(), report.findings.end(),
            [](const Finding& finding) { return (finding.rule->concerns & kUnsafe) != 0; });
        out.proxies.push_back(std::move(report));
    }
    return out;
}

}  // namespace libra::doctor
