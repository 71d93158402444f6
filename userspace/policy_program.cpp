// SPDX-License-Identifier: GPL-2.0-only
#include "policy_program.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <policy.skel.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <set>
#include <span>

#include "unique_fd.h"

namespace libra {
namespace {
constexpr std::uint32_t kOnlyKey = 0;
constexpr const char* kUnattached = "/proc/sys/net/libra/unattached";
}  // namespace

Result<PolicyProgram> PolicyProgram::load(const Pins* pins) {
    std::size_t size = 0;
    const auto* elf = static_cast<const std::byte*>(policy_bpf__elf_bytes(&size));
    BpfObject::PinnedMaps pinned;
    if (pins) {
        for (const char* map : {"libra_policies", "libra_counters", "libra_fail_stops"})
            pinned.emplace_back(map, pins->map_path(map));
    }
    auto object = BpfObject::load("policy", {elf, size}, pinned);
    if (!object)
        return std::move(object).error();

    PolicyProgram program(std::move(object).value());
    for (const auto& [map, fd] : {std::pair{"libra_policies", &program.policies_fd_},
                                  {"libra_counters", &program.counters_fd_},
                                  {"libra_sweeps", &program.sweeps_fd_},
                                  {"libra_fail_stops", &program.fail_stops_fd_}}) {
        const auto found = program.object_.map_fd(map);
        if (!found)
            return found.error();
        *fd = *found;
    }
    const int cpus = libbpf_num_possible_cpus();
    if (cpus < 0)
        return Error::from_errno("cannot count the CPUs", -cpus);
    program.cpus_ = static_cast<std::size_t>(cpus);

    std::vector<std::pair<std::string, bpf_link*>> links;
    for (const char* name : {"libra_attach_first", "libra_attach_second", "libra_attach_early",
                             "libra_count_fail_stop", "libra_count_altered"}) {
        auto link = program.object_.attach_program(name);
        if (!link)
            return std::move(link).error();
        links.emplace_back(name, link->get());
        program.links_.push_back(std::move(link).value());
    }
    if (pins) {
        if (auto status = program.forget_fail_stops(); !status)
            return std::move(status).error();
        if (auto status = pins->replace_links(links); !status)
            return std::move(status).error();
    }
    return program;
}

Status PolicyProgram::install(const libra_policy& policy) {
    // As declared in policy.bpf.c, or the kernel refuses it as an inner map.
    const UniqueFd inner(bpf_map_create(BPF_MAP_TYPE_ARRAY, "libra_policy", sizeof(kOnlyKey),
                                        sizeof(policy), 1, nullptr));
    if (!inner)
        return Error::from_errno("cannot create a policy map");
    if (bpf_map_update_elem(inner.get(), &kOnlyKey, &policy, BPF_ANY))
        return Error::from_errno("cannot fill the policy map");
    // The kernel waits for running programs here; then it frees the old map.
    const int fd = inner.get();
    if (bpf_map_update_elem(policies_fd_, &kOnlyKey, &fd, BPF_ANY))
        return Error::from_errno("cannot replace the policy");
    return Ok{};
}

Status PolicyProgram::run(const char* iterator, libra_sweep& sweep) {
    if (bpf_map_update_elem(sweeps_fd_, &kOnlyKey, &sweep, BPF_ANY))
        return Error::from_errno("cannot prepare an iterator");
    if (auto status = object_.iterate(iterator); !status)
        return status;
    if (bpf_map_lookup_elem(sweeps_fd_, &kOnlyKey, &sweep))
        return Error::from_errno("cannot read what an iterator did");
    return Ok{};
}

Status PolicyProgram::adopt(std::uint32_t role) {
    libra_sweep sweep{};
    sweep.role = role;
    if (auto status = run("libra_adopt_existing", sweep); !status)
        return status;
    if (sweep.failed)
        return Error(
            fmt::format("{} connections that are there already could not be attached ({}); "
                        "nothing is anchored until they are, or no policy names them",
                        sweep.failed, std::generic_category().message(-sweep.last_error)),
            -sweep.last_error);
    spdlog::debug("{} connections adopted", sweep.done);
    return Ok{};
}

Status PolicyProgram::stop(std::uint32_t policy) {
    libra_sweep sweep{};
    sweep.policy = policy;
    if (auto status = run("libra_stop_policy", sweep); !status)
        return status;
    spdlog::debug("policy {}: {} connections stopped", policy, sweep.done);
    return Ok{};
}

Result<std::uint64_t> PolicyProgram::unattached() {
    std::ifstream file(kUnattached);
    std::uint64_t count = 0;
    if (!(file >> count))
        return Error::from_errno(kUnattached);
    return count;
}

Status PolicyProgram::attached_since(std::uint64_t count) {
    std::ofstream file(kUnattached);
    if (!(file << count << std::flush))
        return Error::from_errno(kUnattached);
    return Ok{};
}

Status PolicyProgram::clear_counters(std::uint32_t slot) {
    const std::vector<libra_rule_counters> zero(cpus_);
    if (bpf_map_update_elem(counters_fd_, &slot, zero.data(), BPF_ANY))
        return Error::from_errno("cannot clear the rule's counters");
    return Ok{};
}

Result<libra_rule_counters> PolicyProgram::counters(std::uint32_t slot) {
    std::vector<libra_rule_counters> per_cpu(cpus_);
    if (bpf_map_lookup_elem(counters_fd_, &slot, per_cpu.data()))
        return Error::from_errno("cannot read the rule's counters");
    libra_rule_counters sum{};
    for (const auto& cpu : per_cpu) {
        sum.matched += cpu.matched;
        sum.attached += cpu.attached;
        sum.adopted += cpu.adopted;
        sum.refused += cpu.refused;
        if (cpu.refused_ns > sum.refused_ns) {
            sum.refused_ns = cpu.refused_ns;
            sum.last_error = cpu.last_error;
        }
    }
    return sum;
}

Result<std::uint64_t> PolicyProgram::fail_stops(std::uint32_t policy) {
    std::uint64_t count = 0;
    if (bpf_map_lookup_elem(fail_stops_fd_, &policy, &count) && errno != ENOENT)
        return Error::from_errno("cannot read the policy's fail-stops");
    return count;
}

Status PolicyProgram::clear_fail_stops(std::uint32_t policy) {
    if (bpf_map_delete_elem(fail_stops_fd_, &policy) && errno != ENOENT)
        return Error::from_errno("cannot clear the policy's fail-stops");
    return forget_fail_stops();
}

// Of policies that are no more: in a map that is full of them no other policy is counted. One
// that was left by a librad which forgot none may be.
Status PolicyProgram::forget_fail_stops() {
    const auto policy = installed();
    if (!policy)
        return policy.error();
    std::set<std::uint32_t> gone;
    std::uint32_t id = 0;
    for (const std::uint32_t* last = nullptr; bpf_map_get_next_key(fail_stops_fd_, last, &id) == 0;
         last = &id)
        gone.insert(id);
    for (const libra_rule& rule : std::span(policy->rules, policy->count))
        gone.erase(rule.attach.policy);
    for (const std::uint32_t each : gone) {
        if (bpf_map_delete_elem(fail_stops_fd_, &each) && errno != ENOENT)
            return Error::from_errno("cannot forget fail-stops");
    }
    return Ok{};
}

Result<libra_policy> PolicyProgram::installed() {
    libra_policy policy{};
    std::uint32_t id = 0;
    if (bpf_map_lookup_elem(policies_fd_, &kOnlyKey, &id)) {
        if (errno == ENOENT)
            return policy;
        return Error::from_errno("cannot find the policy in force");
    }
    const UniqueFd inner(bpf_map_get_fd_by_id(id));
    if (!inner || bpf_map_lookup_elem(inner.get(), &kOnlyKey, &policy))
        return Error::from_errno("cannot read the policy in force");
    if (policy.count > LIBRA_MAX_RULES)
        return Error("the policy in force is not as librad writes it", EINVAL);
    return policy;
}

}  // namespace libra
