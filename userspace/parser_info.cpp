// SPDX-License-Identifier: GPL-2.0-only
#include "parser_info.h"

#include <elf.h>
#include <linux/libra.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace libra {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint16_t kMachineBpf = EM_BPF;
constexpr auto kOurOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

// The bytes may be anywhere, so nothing is read in place.
template <typename T>
std::optional<T> read_at(Bytes bytes, std::uint64_t offset) {
    T value;
    if (offset > bytes.size() || sizeof(value) > bytes.size() - offset)
        return std::nullopt;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

std::optional<Bytes> range(Bytes bytes, std::uint64_t offset, std::uint64_t size) {
    if (offset > bytes.size() || size > bytes.size() - offset)
        return std::nullopt;
    return bytes.subspan(offset, size);
}

// Up to its NUL, which has to be there.
std::optional<std::string_view> text_at(Bytes bytes, std::uint64_t offset) {
    if (offset >= bytes.size())
        return std::nullopt;
    const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + offset,
                                bytes.size() - offset);
    const auto end = rest.find('\0');
    if (end == std::string_view::npos)
        return std::nullopt;
    return rest.substr(0, end);
}

Error damaged(const char* what) {
    return Error(std::string("the file is damaged or cut short (") + what + ")", EINVAL);
}

class Sections {
  public:
    static Result<Sections> of(Bytes elf) {
        const auto header = read_at<Elf64_Ehdr>(elf, 0);
        if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
            return Error("this is no ELF object", ENOEXEC);
        if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != kOurOrder ||
            header->e_type != ET_REL || header->e_machine != kMachineBpf)
            return Error("this is no BPF object (clang --target=bpf makes them)", ENOEXEC);
        if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shnum == 0 ||
            header->e_shoff > elf.size())
            return damaged("section table");

        Sections sections(elf);
        for (std::uint32_t i = 0; i < header->e_shnum; ++i) {
            const auto section =
                read_at<Elf64_Shdr>(elf, header->e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr));
            if (!section)
                return damaged("section table");
            if (section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL &&
                !range(elf, section->sh_offset, section->sh_size))
                return damaged("section");
            sections.headers_.push_back(*section);
        }
        if (header->e_shstrndx >= sections.headers_.size())
            return damaged("section names");
        sections.names_ = sections.bytes_of(sections.headers_[header->e_shstrndx]);
        for (const Elf64_Shdr& section : sections.headers_)
            if (!text_at(sections.names_, section.sh_name))
                return damaged("section names");
        return sections;
    }

    // The bytes of the one section of this name.
    Result<Bytes> find(const std::string& name) const {
        std::optional<Bytes> found;
        for (const Elf64_Shdr& section : headers_) {
            if (*text_at(names_, section.sh_name) != name)
                continue;
            if (found)
                return Error("there are two sections " + name, EINVAL);
            found = bytes_of(section);
        }
        if (!found)
            return Error("there is no section " + name, ENOENT);
        return *found;
    }

  private:
    explicit Sections(Bytes elf) : elf_(elf) {}

    Bytes bytes_of(const Elf64_Shdr& section) const {
        if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL)
            return {};
        return *range(elf_, section.sh_offset, section.sh_size);
    }

    Bytes elf_;
    Bytes names_;
    std::vector<Elf64_Shdr> headers_;
};

template <std::size_t size>
std::string text_of(const char (&text)[size]) {
    return std::string(text, strnlen(text, size));
}

// As the kernel has it, libra_name_valid().
bool name_valid(const std::string& name) {
    return !name.empty() && name.size() < LIBRA_NAME_MAX &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
}

// It is printed, and put into JSON.
bool version_valid(const std::string& version) {
    return !version.empty() && version.size() < LIBRA_VERSION_MAX &&
           std::all_of(version.begin(), version.end(), [](char c) {
               return ('0' <= c && c <= '9') || ('A' <= c && c <= 'Z') || ('a' <= c && c <= 'z') ||
                      std::string_view(".+~_-").find(c) != std::string_view::npos;
           });
}

std::string supported() {
    if (LIBRA_PARSER_ABI_MIN == LIBRA_PARSER_ABI)
        return std::to_string(LIBRA_PARSER_ABI);
    return std::to_string(LIBRA_PARSER_ABI_MIN) + " to " + std::to_string(LIBRA_PARSER_ABI);
}

}  // namespace

Result<ParserInfo> read_parser_info(std::span<const std::byte> elf) {
    const auto sections = Sections::of(elf);
    if (!sections)
        return sections.error();
    const auto section = sections->find(LIBRA_PARSER_SECTION);
    if (!section)
        return Error("this is no parser: " + section.error().message() +
                         " (LIBRA_PARSER() of libra_bpf.h makes it)",
                     ENOEXEC);
    // The ABI first: what is behind it may be another one's.
    const auto abi = read_at<std::uint32_t>(*section, 0);
    if (!abi)
        return damaged("section " LIBRA_PARSER_SECTION);
    if (*abi < LIBRA_PARSER_ABI_MIN || *abi > LIBRA_PARSER_ABI)
        return Error("the parser was built for ABI " + std::to_string(*abi) +
                         "; this librad supports " + supported() +
                         ": build it with the headers of this version",
                     EPROTONOSUPPORT);
    const auto said = read_at<libra_parser_info>(*section, 0);
    if (!said || section->size() != sizeof(*said))
        return damaged("section " LIBRA_PARSER_SECTION);
    const ParserInfo info{.name = text_of(said->name),
                          .version = text_of(said->version),
                          .abi = said->abi,
                          .keeps = said->keeps};
    if (!name_valid(info.name))
        return Error("the parser's name must be 1 to 15 of a-z, 0-9, _ and -", EINVAL);
    if (!version_valid(info.version))
        return Error("the parser's version must be 1 to 31 of A-Z, a-z, 0-9 and .+~_-", EINVAL);

    const auto ops_section = sections->find(".struct_ops.link");
    if (!ops_section)
        return Error("this is no parser: " + ops_section.error().message(), ENOEXEC);
    const auto ops = read_at<libra_parser_ops>(*ops_section, 0);
    if (!ops || ops_section->size() != sizeof(*ops) || text_of(ops->name) != info.name ||
        ops->abi != info.abi || ops->keeps != info.keeps)
        return Error(
            "the object does not hold the one parser that its section " LIBRA_PARSER_SECTION
            " tells of",
            EINVAL);
    if (const auto btf = sections->find(".BTF"); !btf || btf->empty())
        return Error("the object has no type information (section .BTF): compile it with -g",
                     EINVAL);
    return info;
}

}  // namespace libra
