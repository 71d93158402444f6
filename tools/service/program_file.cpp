// SPDX-License-Identifier: GPL-2.0-only
#include "program_file.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "unique_fd.h"

namespace libra::service {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxInterpreters = 4;  // as the kernel

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
#error "which processor?"
#endif

Result<UniqueFd> open_file(const fs::path& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd)
        return Error::from_errno(path.string());
    return fd;
}

template <typename T>
bool read_at(int fd, T& into, std::uint64_t offset) {
    return pread(fd, &into, sizeof(into), static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(sizeof(into));
}

// "#!/usr/bin/env python3": its first two words. None if this is no script.
std::optional<std::pair<std::string, std::string>> interpreter(int fd) {
    std::array<char, 256> begin{};
    const ssize_t got = pread(fd, begin.data(), begin.size() - 1, 0);
    if (got < 2 || std::memcmp(begin.data(), "#!", 2) != 0)
        return std::nullopt;
    std::string line(begin.data() + 2, static_cast<std::size_t>(got) - 2);
    line.erase(std::min(line.find('\n'), line.size()));
    std::istringstream words(line);
    std::pair<std::string, std::string> found;
    words >> found.first >> found.second;
    return found;
}

Result<Elf64_Ehdr> read_header(int fd, const fs::path& path) {
    Elf64_Ehdr header{};
    if (!read_at(fd, header, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return Error(fmt::format("{} is neither a program nor a script", path.string()), ENOEXEC);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine)
        return Error(
            fmt::format("{} is for another processor (or 32 bits) than the library", path.string()),
            ENOEXEC);
    return header;
}

// The path of the dynamic linker; empty for a static program.
Result<std::string> linker_of(int fd, const Elf64_Ehdr& header, const fs::path& path) {
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr part{};
        if (!read_at(fd, part, header.e_phoff + std::uint64_t{i} * header.e_phentsize))
            return Error(fmt::format("{} is damaged", path.string()), ENOEXEC);
        if (part.p_type != PT_INTERP)
            continue;
        std::array<char, 256> name{};
        const auto size = std::min<std::size_t>(part.p_filesz, name.size() - 1);
        if (pread(fd, name.data(), size, static_cast<off_t>(part.p_offset)) < 0)
            return Error::from_errno(path.string());
        return std::string(name.data());
    }
    return std::string();
}

// Whom the kernel starts in secure mode, in which LD_PRELOAD is ignored.
Status gains_no_rights(int fd, const fs::path& path, Starter starter) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return Error::from_errno(path.string());
    if (((status.st_mode & S_ISUID) && status.st_uid != starter.uid) ||
        ((status.st_mode & S_ISGID) && status.st_gid != starter.gid))
        return Error(fmt::format("{} is set-user-ID or set-group-ID: the dynamic linker ignores "
                                 "LD_PRELOAD for it; start it as its owner",
                                 path.string()),
                     EPERM);
    if (starter.uid != 0 && fgetxattr(fd, "security.capability", nullptr, 0) > 0)
        return Error(fmt::format("{0} has file capabilities: the dynamic linker ignores "
                                 "LD_PRELOAD for it; give the unit AmbientCapabilities= in their "
                                 "place (setcap -r {0})",
                                 path.string()),
                     EPERM);
    return Ok{};
}

Status check_program(const fs::path& program, Starter starter, int depth) {
    auto fd = open_file(program);
    if (!fd)
        return std::move(fd).error();
    if (const auto script = interpreter(fd->get())) {
        if (depth == 0)
            return Error(fmt::format("{}: too many interpreters", program.string()), ELOOP);
        auto next = fs::path(script->first);
        if (next.filename() == "env" && !script->second.empty() && script->second[0] != '-') {
            auto found = find_program(script->second);
            if (!found)
                return std::move(found).error();
            next = *found;
        }
        return check_program(next, starter, depth - 1);
    }
    const auto header = read_header(fd->get(), program);
    if (!header)
        return header.error();
    const auto linker = linker_of(fd->get(), *header, program);
    if (!linker)
        return linker.error();
    if (linker->empty())
        return Error(fmt::format("{} is a static program: no library can be preloaded into it",
                                 program.string()),
                     ENOEXEC);
    if (linker->find("ld-musl") != std::string::npos)
        return Error(fmt::format("{} is for musl, and the library for glibc: take a glibc build "
                                 "of it",
                                 program.string()),
                     ENOEXEC);
    return gains_no_rights(fd->get(), program, starter);
}

}  // namespace

Result<fs::path> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        if (access(name.c_str(), X_OK) != 0)
            return Error::from_errno(name);
        return fs::path(name);
    }
    const char* path = std::getenv("PATH");
    std::istringstream directories(path ? path
                                        : "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                                          "/usr/bin:/sbin:/bin");
    for (std::string directory; std::getline(directories, directory, ':');) {
        const fs::path file = fs::path(directory.empty() ? "." : directory) / name;
        std::error_code ignored;
        if (access(file.c_str(), X_OK) == 0 && !fs::is_directory(file, ignored))
            return file;
    }
    return Error(fmt::format("{}: there is no such program in PATH", name), ENOENT);
}

Status takes_preload(const fs::path& program, Starter starter) {
    return check_program(program, starter, kMaxInterpreters);
}

Status is_library(const fs::path& path) {
    auto fd = open_file(path);
    if (!fd)
        return std::move(fd).error();
    const auto header = read_header(fd->get(), path);
    if (!header)
        return header.error();
    if (header->e_type != ET_DYN)
        return Error(fmt::format("{} is no shared library", path.string()), ENOEXEC);
    return Ok{};
}

}  // namespace libra::service
