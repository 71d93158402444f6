// SPDX-License-Identifier: GPL-2.0-only
#include "bpf_object.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "unique_fd.h"

namespace libra {
namespace {

// libbpf's print callback has no context argument; the daemon has one thread.
std::string& captured() {
    static std::string log;
    return log;
}

int capture(libbpf_print_level level, const char* format, va_list args) {
    va_list copy;
    va_copy(copy, args);
    const int size = vsnprintf(nullptr, 0, format, copy);
    va_end(copy);
    if (size <= 0)
        return 0;
    std::string line(static_cast<std::size_t>(size) + 1, '\0');
    vsnprintf(line.data(), line.size(), format, args);
    line.pop_back();
    if (level == LIBBPF_WARN)
        captured() += line;
    while (!line.empty() && line.back() == '\n')
        line.pop_back();
    spdlog::debug("{}", line);
    return 0;
}

std::string_view next_line(std::string_view& text) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

std::string strip(std::string_view line) {
    constexpr std::string_view kPrefix = "libbpf: ";
    if (line.starts_with(kPrefix))
        line.remove_prefix(kPrefix.size());
    return std::string(line);
}

// An instruction, or the source line of one.
bool is_step(std::string_view line) {
    return line.starts_with(';') || (!line.empty() && line[0] >= '0' && line[0] <= '9');
}

// Since Linux 7 the verifier adds which write it was to what the module says against it.
bool says_only_where(std::string_view line, std::string_view before) {
    return line.find(" cannot write into ") != std::string_view::npos && !before.empty() &&
           !is_step(before);
}

Error failed(std::string what, int code) {
    const std::string cause = log_summary(captured());
    if (!cause.empty())
        return Error(fmt::format("{}: {}", what, cause), code);
    return Error::from_errno(what, code);
}

}  // namespace

void capture_libbpf_log() {
    libbpf_set_print(capture);
}

std::string log_summary(std::string_view log) {
    constexpr std::string_view kBegin = "-- BEGIN PROG LOAD LOG --";
    constexpr std::string_view kEnd = "-- END PROG LOAD LOG --";
    std::string first;
    std::string last;
    bool in_verifier = false;
    while (!log.empty()) {
        const auto line = next_line(log);
        if (line.find(kBegin) != std::string_view::npos) {
            in_verifier = true;
        } else if (line.find(kEnd) != std::string_view::npos) {
            in_verifier = false;
        } else if (!in_verifier) {
            if (first.empty())
                first = strip(line);
        } else if (!line.empty() && !line.starts_with("processed ") &&
                   !line.starts_with("verification time") && !says_only_where(line, last)) {
            last = line;
        }
    }
    return last.empty() ? first : "the verifier says: " + last;
}

Result<BpfObject> BpfObject::open(const std::string& name, std::span<const std::byte> elf) {
    LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name.c_str());

    captured().clear();
    Handle handle(bpf_object__open_mem(elf.data(), elf.size(), &opts));
    if (!handle)
        return failed(fmt::format("cannot open BPF object {}", name), errno);
    return BpfObject(name, std::move(handle));
}

Result<BpfObject> BpfObject::load(const std::string& name, std::span<const std::byte> elf,
                                  const PinnedMaps& pinned) {
    auto object = open(name, elf);
    if (!object)
        return object;
    bpf_object* handle = object->handle_.get();
    for (const auto& [map_name, path] : pinned) {
        bpf_map* map = bpf_object__find_map_by_name(handle, map_name.c_str());
        if (!map)
            return Error(fmt::format("BPF object {} holds no map {}", name, map_name), ENOENT);
        if (const int error = bpf_map__set_pin_path(map, path.c_str()))
            return failed(fmt::format("cannot pin {}", map_name), -error);
    }
    if (const int error = bpf_object__load(handle)) {
        const Error cause = failed(fmt::format("the kernel refuses BPF object {}", name), -error);
        return Error(cause.message() +
                         "; build librad and libra from the same tree (librad "
                         "--verbose tells more)",
                     cause.code());
    }
    return object;
}

Status BpfObject::check_is_parser() const {
    std::size_t count = 0;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, handle_.get()) {
        count += bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS;
        if (bpf_map__pin_path(map))
            return Error(
                fmt::format("map {} is to be pinned, which is not for parsers", bpf_map__name(map)),
                EINVAL);
    }
    if (count != 1)
        return Error(fmt::format("it holds {} struct_ops, and a parser is one", count), EINVAL);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, handle_.get()) {
        if (bpf_program__type(program) != BPF_PROG_TYPE_STRUCT_OPS)
            return Error(
                fmt::format("program {} is not one of a parser's (section {})",
                            bpf_program__name(program), bpf_program__section_name(program)),
                EINVAL);
    }
    return Ok{};
}

Result<BpfObject> BpfObject::load_parser(const std::string& name, std::span<const std::byte> elf) {
    auto object = open(name, elf);
    if (!object)
        return object;
    if (auto status = object->check_is_parser(); !status)
        return std::move(status).error();
    if (const int error = bpf_object__load(object->handle_.get())) {
        const Error cause = failed(fmt::format("the kernel refuses parser {}", name), -error);
        return Error(cause.message() + " (librad --verbose tells more)", cause.code());
    }
    return object;
}

Result<bpf_map*> BpfObject::struct_ops() const {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, handle_.get()) {
        if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
            return map;
    }
    return Error(fmt::format("BPF object {} holds no struct_ops", name_), EINVAL);
}

Result<BpfLink> BpfObject::attach_struct_ops() {
    const auto map = struct_ops();
    if (!map)
        return map.error();
    captured().clear();
    BpfLink link(bpf_map__attach_struct_ops(*map));
    if (link)
        return link;
    const int error = errno;
    return failed(fmt::format("cannot register {}", bpf_map__name(*map)), error);
}

// Not by bpf_link__update_map(), which knows no link that came from a file: it was pinned by
// another librad. What libbpf does to make a value of a struct_ops map, and has no other name
// for, is the first half of attaching it. The second half is refused, as the link's has the name.
Status BpfObject::replace_struct_ops(const bpf_link& link) {
    const auto map = struct_ops();
    if (!map)
        return map.error();
    captured().clear();
    if (const BpfLink beside(bpf_map__attach_struct_ops(*map)); beside)
        return Error(fmt::format("{} was registered beside the one that it is to replace",
                                 bpf_map__name(*map)),
                     EINVAL);
    if (errno != EEXIST) {
        const int error = errno;
        return failed(fmt::format("cannot register {}", bpf_map__name(*map)), error);
    }
    captured().clear();
    const int error = bpf_link_update(bpf_link__fd(&link), bpf_map__fd(*map), nullptr);
    if (error)
        return failed(fmt::format("cannot register {}", bpf_map__name(*map)), -error);
    return Ok{};
}

Result<std::uint32_t> BpfObject::struct_ops_id() const {
    const auto map = struct_ops();
    if (!map)
        return map.error();
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_map_get_info_by_fd(bpf_map__fd(*map), &info, &size))
        return Error::from_errno(fmt::format("cannot ask about {}", bpf_map__name(*map)));
    return info.id;
}

Result<std::uint32_t> struct_ops_id(const bpf_link& link) {
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_link_get_info_by_fd(bpf_link__fd(&link), &info, &size))
        return Error::from_errno("cannot ask about a link");
    if (info.type != BPF_LINK_TYPE_STRUCT_OPS)
        return Error("it is no parser's link", EINVAL);
    // info.struct_ops.map_id, which Debian 12's linux/bpf.h has not got: first in the union.
    std::uint32_t id = 0;
    std::memcpy(&id, &info.raw_tracepoint, sizeof(id));
    return id;
}

Result<bpf_program*> BpfObject::find(const char* program) const {
    bpf_program* found = bpf_object__find_program_by_name(handle_.get(), program);
    if (!found)
        return Error(fmt::format("BPF object {} holds no program {}", name_, program), ENOENT);
    return found;
}

Result<BpfLink> BpfObject::attach_program(const char* program) {
    const auto found = find(program);
    if (!found)
        return found.error();
    captured().clear();
    BpfLink link(bpf_program__attach(*found));
    if (link)
        return link;
    const int error = errno;
    return failed(fmt::format("cannot attach {}", program), error);
}

Status BpfObject::iterate(const char* program) {
    const auto found = find(program);
    if (!found)
        return found.error();
    captured().clear();
    const BpfLink link(bpf_program__attach_iter(*found, nullptr));
    if (!link) {
        const int error = errno;
        return failed(fmt::format("cannot attach {}", program), error);
    }
    const UniqueFd iterator(bpf_iter_create(bpf_link__fd(link.get())));
    if (!iterator)
        return Error::from_errno(fmt::format("cannot run {}", program));
    // Reading is what runs it. EAGAIN: so far it had very many to look at.
    std::array<char, 4096> ignored;
    for (;;) {
        const ssize_t size = read(iterator.get(), ignored.data(), ignored.size());
        if (size == 0)
            return Ok{};
        if (size < 0 && errno != EAGAIN && errno != EINTR)
            return Error::from_errno(fmt::format("{} ended early", program));
    }
}

Result<int> BpfObject::map_fd(const char* map) const {
    const int fd = bpf_object__find_map_fd_by_name(handle_.get(), map);
    if (fd < 0)
        return Error(fmt::format("BPF object {} holds no map {}", name_, map), ENOENT);
    return fd;
}

}  // namespace libra
