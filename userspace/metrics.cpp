// SPDX-License-Identifier: GPL-2.0-only
#include "metrics.h"

#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "kernel_stats.h"

namespace libra {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// What goes down as well. All others only ever rise: lazy_freed_pages, for one.
constexpr std::array<std::string_view, 8> kGauges = {
    "attached_sockets",   "anchors_live", "anchor_bytes_live", "anchor_charge_live",
    "anchor_charge_peak", "lazy_pages",   "payload_pages",     "payload_processes"};

bool is_gauge(std::string_view name) {
    return std::find(kGauges.begin(), kGauges.end(), name) != kGauges.end();
}

ClientMetric metric(MetricType type, double value, Labels labels) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (type == MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
    return metric;
}

MetricFamily family(std::string name, std::string help, MetricType type) {
    MetricFamily family;
    family.name = std::move(name);
    family.help = std::move(help);
    family.type = type;
    return family;
}

MetricFamily single(std::string name, std::string help, MetricType type, double value) {
    MetricFamily made = family(std::move(name), std::move(help), type);
    made.metric.push_back(metric(type, value, {}));
    return made;
}

void add_kernel(std::vector<MetricFamily>& families) {
    const auto stats = read_kernel_stats();
    families.push_back(single("libra_kernel_up", "1: the kernel's counters can be read",
                              MetricType::Gauge, stats ? 1 : 0));
    if (!stats)
        return;
    for (const auto& [name, value] : *stats) {
        const bool gauge = is_gauge(name);
        families.push_back(
            single(fmt::format("libra_{}{}", name, gauge ? "" : "_total"), describe_stat(name),
                   gauge ? MetricType::Gauge : MetricType::Counter, static_cast<double>(value)));
    }
}

double number(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_number() ? found->get<double>() : 0;
}

std::string text(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

bool truth(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_boolean() && found->get<bool>();
}

void add_policies(std::vector<MetricFamily>& families, const Json& status) {
    auto tripped = family("libra_policy_tripped", "1: the policy's breaker took it back to native",
                          MetricType::Gauge);
    auto waiting =
        family("libra_policy_waiting", "1: the policy's cgroup is not there", MetricType::Gauge);
    auto fail_stops =
        family("libra_policy_fail_stops_total",
               "connections aborted because what was sent was not what had been received",
               MetricType::Counter);
    std::vector<std::pair<const char*, MetricFamily>> rules;
    for (const auto& [field, help] :
         {std::pair{"matched", "connections that the rule decided about"},
          {"attached", "of these, attached"},
          {"adopted", "of these, attached although older than the policy"},
          {"refused", "of these, refused by the kernel"}})
        rules.emplace_back(
            field, family(fmt::format("libra_rule_{}_total", field), help, MetricType::Counter));
    const auto policies = status.find("policies");
    if (policies == status.end() || !policies->is_array())
        return;
    for (const Json& policy : *policies) {
        const Labels own = {{"policy", fmt::format("{}", number(policy, "id"))},
                            {"name", text(policy, "name")},
                            {"mode", text(policy, "mode")}};
        tripped.metric.push_back(metric(MetricType::Gauge, truth(policy, "tripped"), own));
        waiting.metric.push_back(metric(MetricType::Gauge, truth(policy, "waiting"), own));
        fail_stops.metric.push_back(metric(MetricType::Counter, number(policy, "fail_stops"), own));
        const auto all = policy.find("rules");
        if (all == policy.end() || !all->is_array())
            continue;
        for (const Json& rule : *all) {
            Labels labels = own;
            labels.push_back({"role", text(rule, "role")});
            labels.push_back({"address", text(rule, "address")});
            for (auto& [field, made] : rules)
                made.metric.push_back(metric(MetricType::Counter, number(rule, field), labels));
        }
    }
    families.push_back(std::move(tripped));
    families.push_back(std::move(waiting));
    families.push_back(std::move(fail_stops));
    for (auto& [field, made] : rules)
        families.push_back(std::move(made));
    families.push_back(single("libra_unattached",
                              "connections that could not be attached; while there are any, "
                              "nothing is kept in the kernel",
                              MetricType::Gauge, number(status, "unattached")));
}

class Collector final : public prometheus::Collectable {
  public:
    std::vector<MetricFamily> Collect() const override {
        std::vector<MetricFamily> families;
        add_kernel(families);
        const std::lock_guard lock(mutex_);
        add_policies(families, status_);
        return families;
    }

    void update(const Json& status) {
        const std::lock_guard lock(mutex_);
        status_ = status;
    }

  private:
    mutable std::mutex mutex_;
    Json status_ = Json::object();
};

}  // namespace

struct Metrics::Server {
    explicit Server(const std::string& address)
        : collector(std::make_shared<Collector>()), exposer(address, 1) {
        exposer.RegisterCollectable(collector);
    }

    std::shared_ptr<Collector> collector;
    prometheus::Exposer exposer;
};

Metrics::Metrics(std::unique_ptr<Server> server) : server_(std::move(server)) {}
Metrics::Metrics(Metrics&&) noexcept = default;
Metrics& Metrics::operator=(Metrics&&) noexcept = default;
Metrics::~Metrics() = default;

Result<Metrics> Metrics::serve(const std::string& address) {
    try {
        return Metrics(std::make_unique<Server>(address));
    } catch (const std::exception& error) {
        return Error(fmt::format("cannot serve metrics at {}: {} (is the port taken?)", address,
                                 error.what()),
                     EADDRINUSE);
    }
}

void Metrics::update(const Json& status) {
    server_->collector->update(status);
}

Result<std::function<void()>> MetricsPlace::move_to(const std::string& address) {
    if (!begun_)
        return std::function([this, address] { address_ = address; });
    if (address == address_)
        return std::function([] {});
    // what std::function holds can be copied
    auto next = std::make_shared<std::optional<Metrics>>();
    if (!address.empty()) {
        auto served = Metrics::serve(address);
        if (!served)
            return std::move(served).error();
        next->emplace(std::move(served).value());
    }
    return std::function([this, address, next] {
        metrics_ = std::exchange(*next, std::nullopt);
        address_ = address;
        spdlog::info("metrics: {}",
                     address.empty() ? "none" : fmt::format("http://{}/metrics", address));
    });
}

Status MetricsPlace::begin() {
    begun_ = true;
    const auto move = move_to(std::exchange(address_, ""));
    if (!move)
        return move.error();
    (*move)();
    return Ok{};
}

void MetricsPlace::update(const Json& status) {
    if (metrics_)
        metrics_->update(status);
}

}  // namespace libra
