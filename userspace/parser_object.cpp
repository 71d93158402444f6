// SPDX-License-Identifier: GPL-2.0-only
#include "parser_object.h"

#include <builtin_parsers.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

#include "unique_fd.h"

namespace libra {
namespace {

// FNV-1a: against mistakes, not against malice, as only root's files are loaded.
std::string build_of(std::span<const std::byte> elf) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::byte byte : elf)
        hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
    return fmt::format("{:016x}", hash);
}

Result<ParserObject> object_of(std::vector<std::byte> elf, std::string origin) {
    auto info = read_parser_info(elf);
    if (!info)
        return std::move(info).error().context(origin);
    std::string build = build_of(elf);
    return ParserObject{std::move(info).value(), std::move(origin), std::move(build),
                        std::move(elf)};
}

std::vector<std::byte> copy_of(const void* elf, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(elf);
    return {bytes, bytes + size};
}

// What the unit of systemd keeps from librad: ProtectHome=, PrivateTmp=.
constexpr std::array<std::string_view, 5> kHidden = {"/home/", "/root/", "/run/user/", "/tmp/",
                                                     "/var/tmp/"};

Error not_opened(const std::string& path, int code) {
    const bool hidden = std::any_of(kHidden.begin(), kHidden.end(), [&](std::string_view folder) {
        return path.starts_with(folder);
    });
    if (!hidden || (code != ENOENT && code != EACCES))
        return Error::from_errno(path, code);
    return Error(fmt::format("{}; librad.service sees none of the machine's {}: have it "
                             "elsewhere, as /usr/local/lib/libra",
                             Error::from_errno(path, code).message(), fmt::join(kHidden, " ")),
                 code);
}

const std::vector<ParserObject>& builtins() {
    static const std::vector<ParserObject> kBuiltins = [] {
        std::vector<ParserObject> all;
        for (const BuiltinParser& builtin : kBuiltinParsers) {
            std::size_t size = 0;
            const void* elf = builtin.elf(&size);
            // Tests see that all of them can be read.
            if (auto object = object_of(copy_of(elf, size), "built in"))
                all.push_back(std::move(object).value());
        }
        return all;
    }();
    return kBuiltins;
}

}  // namespace

std::vector<std::string> builtin_parsers() {
    std::vector<std::string> names;
    for (const ParserObject& object : builtins())
        names.push_back(object.info.name);
    return names;
}

Result<ParserObject> builtin_parser(std::string_view name) {
    for (const ParserObject& object : builtins()) {
        if (object.info.name == name)
            return object;
    }
    return Error(
        fmt::format("unknown parser '{}'; known: {}", name, fmt::join(builtin_parsers(), ", ")),
        ENOENT);
}

Result<ParserObject> read_parser(const std::string& path) {
    // A path of another working directory would be another file.
    if (!path.starts_with('/'))
        return Error(fmt::format("{}: the path of a parser must be absolute", path), EINVAL);
    // O_NONBLOCK: a FIFO that nobody writes to must not stop the daemon.
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return not_opened(path, errno);
    struct stat info {};
    if (fstat(fd.get(), &info))
        return Error::from_errno(path);
    if (!S_ISREG(info.st_mode))
        return Error(fmt::format("{}: not a regular file", path), EINVAL);

    // One byte more than is allowed: the file may grow meanwhile.
    std::vector<std::byte> elf(
        std::min<std::size_t>(static_cast<std::size_t>(info.st_size), kMaxParserObject) + 1);
    std::size_t have = 0;
    while (have < elf.size()) {
        const ssize_t size = read(fd.get(), elf.data() + have, elf.size() - have);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return Error::from_errno(path);
        if (size == 0)
            break;
        have += static_cast<std::size_t>(size);
    }
    if (have > kMaxParserObject)
        return Error(
            fmt::format("{}: more than {} bytes, which no parser has", path, kMaxParserObject),
            EFBIG);
    elf.resize(have);
    return object_of(std::move(elf), path);
}

}  // namespace libra
