// SPDX-License-Identifier: GPL-2.0-only
#include "bpf_parser.h"

#include <fmt/format.h>
#include <unistd.h>

namespace libra {
namespace {

Error in_words(const Error& error, const ParserInfo& info) {
    if (error.code() == EPROTONOSUPPORT)
        return Error(fmt::format("parser {} is of ABI {}, which the kernel's libra does not "
                                 "support; build both from one source tree",
                                 info.name, info.abi),
                     EPROTONOSUPPORT);
    return error;
}

}  // namespace

Result<PreparedParser> PreparedParser::load(const ParserObject& parser) {
    auto object = BpfObject::load_parser(parser.info.name, parser.elf);
    if (!object)
        return std::move(object).error();
    const auto id = object->struct_ops_id();
    if (!id)
        return id.error();
    return PreparedParser{{parser.info, parser.origin, parser.build, *id},
                          std::move(object).value()};
}

Result<Parser> Parser::enter(PreparedParser prepared, const std::string& pin) {
    const ParserInfo& info = prepared.about.info;
    auto link = prepared.object.attach_struct_ops();
    if (!link) {
        if (link.error().code() == EEXIST)
            return Error(fmt::format("parser {} is already registered in this kernel; stop the "
                                     "other librad first",
                                     info.name),
                         EEXIST);
        if (link.error().code() == EBUSY)
            return Error(
                "the kernel's functions cannot be hooked: kernel.ftrace_enabled is 0, or "
                "something else, such as a live patch, has them",
                EBUSY);
        return in_words(link.error(), info);
    }
    if (!pin.empty()) {
        if (const int error = bpf_link__pin(link->get(), pin.c_str()))
            return Error::from_errno(fmt::format("cannot pin {}", pin), -error);
    }
    return Parser(std::move(prepared.about), std::move(prepared.object), std::move(link).value(),
                  pin);
}

Result<Parser> Parser::open(const std::string& name, const std::string& pin) {
    BpfLink link(bpf_link__open(pin.c_str()));
    if (!link)
        return Error::from_errno(fmt::format("cannot open {}", pin));
    const auto id = struct_ops_id(*link);
    if (!id)
        return Error(fmt::format("{}: {}", pin, id.error().message()), id.error().code());
    KnownParser about;
    about.info.name = name;
    about.id = *id;
    return Parser(std::move(about), std::nullopt, std::move(link), pin);
}

Status Parser::replace(PreparedParser prepared) {
    const ParserInfo& info = prepared.about.info;
    if (auto status = prepared.object.replace_struct_ops(*link_); !status) {
        if (status.error().code() == EBUSY)
            return Error(
                fmt::format("there are connections that parser {} {} reads, and version {} cannot "
                            "go on with them, as it keeps something else ({}, not {}): detach its "
                            "policies, and replace it when these connections have closed",
                            info.name, about_.info.version, info.version, info.keeps,
                            about_.info.keeps),
                EBUSY);
        return in_words(status.error(), info);
    }
    object_ = std::move(prepared.object);
    about_ = std::move(prepared.about);
    return Ok{};
}

Status Parser::unpin() {
    if (!pin_.empty() && unlink(pin_.c_str()) && errno != ENOENT)
        return Error::from_errno(fmt::format("cannot remove {}", pin_));
    pin_.clear();
    return Ok{};
}

}  // namespace libra
