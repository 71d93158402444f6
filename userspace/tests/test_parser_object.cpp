// SPDX-License-Identifier: GPL-2.0-only
// What librad makes of files that are to be parsers.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/libra.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "parser_object.h"

namespace libra {
namespace {

// A parser's object, and places in it to be spoilt.
class ParserFile : public testing::Test {
  protected:
    void SetUp() override {
        auto object = builtin_parser("raw");
        ASSERT_TRUE(object) << object.error().message();
        elf_ = object->elf;
    }

    template <typename T>
    T get(std::size_t at) const {
        T value;
        std::memcpy(&value, elf_.data() + at, sizeof(value));
        return value;
    }

    template <typename T>
    void put(std::size_t at, const T& value) {
        ASSERT_LE(at + sizeof(value), elf_.size());
        std::memcpy(elf_.data() + at, &value, sizeof(value));
    }

    std::size_t header_of(const char* name) const {
        const auto elf = get<Elf64_Ehdr>(0);
        const auto names = get<Elf64_Shdr>(elf.e_shoff + elf.e_shstrndx * sizeof(Elf64_Shdr));
        for (std::size_t i = 0; i < elf.e_shnum; ++i) {
            const std::size_t at = elf.e_shoff + i * sizeof(Elf64_Shdr);
            const char* text = reinterpret_cast<const char*>(elf_.data()) + names.sh_offset +
                               get<Elf64_Shdr>(at).sh_name;
            if (std::strcmp(text, name) == 0)
                return at;
        }
        ADD_FAILURE() << "no section " << name;
        return 0;
    }

    std::size_t section(const char* name) const {
        return get<Elf64_Shdr>(header_of(name)).sh_offset;
    }

    // Nothing of this name is there any more.
    void hide(const char* name) {
        const auto elf = get<Elf64_Ehdr>(0);
        const auto names = get<Elf64_Shdr>(elf.e_shoff + elf.e_shstrndx * sizeof(Elf64_Shdr));
        put(names.sh_offset + get<Elf64_Shdr>(header_of(name)).sh_name, 'X');
    }

    std::string refusal() const {
        const auto info = read_parser_info(elf_);
        return info ? "taken" : info.error().message();
    }

    std::vector<std::byte> elf_;
};

constexpr std::size_t kVersion = offsetof(libra_parser_info, version);

TEST_F(ParserFile, SaysWhatItIs) {
    const auto info = read_parser_info(elf_);
    ASSERT_TRUE(info) << info.error().message();
    EXPECT_EQ(*info, (ParserInfo{"raw", "1", LIBRA_PARSER_ABI, 1}));
}

TEST_F(ParserFile, OtherAbiIsNamedBesideOurs) {
    put(section(LIBRA_PARSER_SECTION), std::uint32_t{LIBRA_PARSER_ABI + 6});
    EXPECT_EQ(refusal(),
              "the parser was built for ABI 7; this librad supports 1: build it with "
              "the headers of this version");
    EXPECT_EQ(read_parser_info(elf_).error().code(), EPROTONOSUPPORT);
    put(section(LIBRA_PARSER_SECTION), std::uint32_t{0});
    EXPECT_NE(refusal().find("ABI 0;"), std::string::npos);
}

TEST_F(ParserFile, WhatIsNoBpfObject) {
    EXPECT_EQ(read_parser_info({}).error().message(), "this is no ELF object");
    put(0, 'M');
    EXPECT_EQ(refusal(), "this is no ELF object");
    SetUp();
    put(offsetof(Elf64_Ehdr, e_machine), std::uint16_t{EM_X86_64});
    EXPECT_EQ(refusal(), "this is no BPF object (clang --target=bpf makes them)");
}

TEST_F(ParserFile, WhatIsNoParser) {
    hide(LIBRA_PARSER_SECTION);
    EXPECT_EQ(refusal(),
              "this is no parser: there is no section libra_parser (LIBRA_PARSER() of "
              "libra_bpf.h makes it)");
    SetUp();
    hide(".struct_ops.link");
    EXPECT_EQ(refusal(), "this is no parser: there is no section .struct_ops.link");
    SetUp();
    // Its relocations end in the same letters, so its own name cannot be hidden.
    const std::size_t btf = header_of(".BTF");
    auto header = get<Elf64_Shdr>(btf);
    header.sh_size = 0;
    put(btf, header);
    EXPECT_EQ(refusal(), "the object has no type information (section .BTF): compile it with -g");
}

// The kernel goes by the struct_ops, people by the section.
TEST_F(ParserFile, BothPlacesHaveToAgree) {
    const char* const kWhy =
        "the object does not hold the one parser that its section libra_parser tells of";
    put(section(".struct_ops.link") + offsetof(libra_parser_ops, name), 'x');
    EXPECT_EQ(refusal(), kWhy);
    SetUp();
    put(section(".struct_ops.link") + offsetof(libra_parser_ops, keeps), std::uint32_t{9});
    EXPECT_EQ(refusal(), kWhy);
    SetUp();
    put(section(".struct_ops.link") + offsetof(libra_parser_ops, abi), std::uint32_t{2});
    EXPECT_EQ(refusal(), kWhy);
}

TEST_F(ParserFile, NamesAndVersionsArePlain) {
    const std::size_t info = section(LIBRA_PARSER_SECTION);
    put(info + offsetof(libra_parser_info, name), 'R');
    EXPECT_EQ(refusal(), "the parser's name must be 1 to 15 of a-z, 0-9, _ and -");
    SetUp();
    std::array<char, LIBRA_NAME_MAX> endless;
    endless.fill('a');
    put(info + offsetof(libra_parser_info, name), endless);
    EXPECT_EQ(refusal(), "the parser's name must be 1 to 15 of a-z, 0-9, _ and -");
    SetUp();
    for (const char c : {'\0', '\n', '"', ' ', '\x7f', '\xc3'}) {
        put(info + kVersion, c);
        EXPECT_EQ(refusal(), "the parser's version must be 1 to 31 of A-Z, a-z, 0-9 and .+~_-");
    }
}

TEST_F(ParserFile, CutAnywhereIsNoParser) {
    const std::vector<std::byte> whole = elf_;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::vector<std::byte> cut(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
        const auto info = read_parser_info(cut);
        ASSERT_FALSE(info) << size;
    }
}

TEST(BuiltinParsers, AllOfThemCanBeRead) {
    EXPECT_EQ(builtin_parsers(), (std::vector<std::string>{"http1", "raw", "tls"}));
}

TEST(BuiltinParsers, UnknownOneListsTheKnown) {
    const auto object = builtin_parser("gopher");
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().message(), "unknown parser 'gopher'; known: http1, raw, tls");
}

class ParserPath : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "libra-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string path(const char* name) const { return directory_ / name; }

    std::string refusal(const std::string& path) const {
        const auto object = read_parser(path);
        return object ? "taken" : object.error().message();
    }

    std::filesystem::path directory_;
};

TEST_F(ParserPath, IsReadAsAWhole) {
    const auto builtin = builtin_parser("tls");
    ASSERT_TRUE(builtin);
    std::ofstream(path("tls.bpf.o"), std::ios::binary)
        .write(reinterpret_cast<const char*>(builtin->elf.data()),
               static_cast<std::streamsize>(builtin->elf.size()));
    const auto object = read_parser(path("tls.bpf.o"));
    ASSERT_TRUE(object) << object.error().message();
    EXPECT_EQ(object->elf, builtin->elf);
    EXPECT_EQ(object->info, builtin->info);
    EXPECT_EQ(object->origin, path("tls.bpf.o"));
}

TEST_F(ParserPath, RefusesWhatIsNoFileOfAParser) {
    EXPECT_EQ(refusal("parser.o"), "parser.o: the path of a parser must be absolute");
    EXPECT_EQ(refusal("/usr/none"), "/usr/none: No such file or directory");
    EXPECT_EQ(
        refusal("/tmp/libra-none/parser.o"),
        "/tmp/libra-none/parser.o: No such file or directory; librad.service sees none of the "
        "machine's /home/ /root/ /run/user/ /tmp/ /var/tmp/: have it elsewhere, as "
        "/usr/local/lib/libra");
    EXPECT_EQ(refusal(directory_), directory_.string() + ": not a regular file");
    EXPECT_EQ(refusal("/dev/zero"), "/dev/zero: not a regular file");
    ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
    EXPECT_EQ(refusal(path("fifo")), path("fifo") + ": not a regular file");
    std::ofstream(path("text")) << "hello";
    EXPECT_EQ(refusal(path("text")), path("text") + ": this is no ELF object");
    std::ofstream(path("huge")) << "x";
    std::filesystem::resize_file(path("huge"), 1ULL << 40);
    EXPECT_EQ(refusal(path("huge")),
              path("huge") + ": more than 4194304 bytes, which no parser has");
}

}  // namespace
}  // namespace libra
