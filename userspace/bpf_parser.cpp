// SPDX-License-Identifier: GPL-2.0-only
#include "bpf_parser.h"

#include <fmt/format.h>
#include <http1.skel.h>
#include <raw.skel.h>
#include <tls.skel.h>
#include <unistd.h>

#include <array>

namespace libra {
namespace {

// A new parser is a line here and one in CMakeLists.txt.
struct Known {
    std::string_view name;
    const void* (*elf)(std::size_t* size);
};
constexpr std::array kKnown = {
    Known{"http1", [](std::size_t* size) { return http1_bpf__elf_bytes(size); }},
    Known{"raw", [](std::size_t* size) { return raw_bpf__elf_bytes(size); }},
    Known{"tls", [](std::size_t* size) { return tls_bpf__elf_bytes(size); }},
};

const Known* find(std::string_view name) {
    for (const Known& known : kKnown) {
        if (known.name == name)
            return &known;
    }
    return nullptr;
}

}  // namespace

std::vector<std::string> known_parsers() {
    std::vector<std::string> names;
    names.reserve(kKnown.size());
    for (const Known& known : kKnown)
        names.emplace_back(known.name);
    return names;
}

Status check_parser_name(std::string_view name) {
    if (find(name))
        return Ok{};
    return Error(
        fmt::format("unknown parser '{}'; known: {}", name, fmt::join(known_parsers(), ", ")),
        ENOENT);
}

Result<Parser> Parser::load(const std::string& name, const Pins* pins) {
    if (auto status = check_parser_name(name); !status)
        return std::move(status).error();
    const std::string pin = pins ? pins->parser_path(name) : "";
    if (pins && access(pin.c_str(), F_OK) == 0) {
        BpfLink link(bpf_link__open(pin.c_str()));
        if (!link)
            return Error::from_errno(fmt::format("cannot open {}", pin));
        return Parser(std::nullopt, std::move(link));
    }

    std::size_t size = 0;
    const auto* elf = static_cast<const std::byte*>(find(name)->elf(&size));
    auto object = BpfObject::load(name, {elf, size});
    if (!object)
        return std::move(object).error();
    auto link = object->attach_struct_ops();
    if (!link) {
        if (link.error().code() == EEXIST)
            return Error(fmt::format("parser {} is already registered in this kernel; stop the "
                                     "other librad first",
                                     name),
                         EEXIST);
        if (link.error().code() == EBUSY)
            return Error(
                "the kernel's functions cannot be hooked: kernel.ftrace_enabled is 0, or "
                "something else, such as a live patch, has them",
                EBUSY);
        return std::move(link).error();
    }
    if (pins) {
        if (const int error = bpf_link__pin(link->get(), pin.c_str()))
            return Error::from_errno(fmt::format("cannot pin {}", pin), -error);
    }
    return Parser(std::move(object).value(), std::move(link).value());
}

}  // namespace libra
