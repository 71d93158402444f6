// SPDX-License-Identifier: GPL-2.0-only
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "fake_host.h"
#include "preload.h"
#include "program_file.h"

namespace libra::service {
namespace {

// The smallest file that is a program, with this dynamic linker, or none.
std::string program(const std::string& linker, unsigned char width = ELFCLASS64) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = width;
#if defined(__x86_64__)
    header.e_machine = EM_X86_64;
#else
    header.e_machine = EM_AARCH64;
#endif
    header.e_type = ET_DYN;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = linker.empty() ? 0 : 1;
    Elf64_Phdr part{};
    part.p_type = PT_INTERP;
    part.p_offset = sizeof(header) + sizeof(part);
    part.p_filesz = linker.size() + 1;
    return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) +
           std::string(reinterpret_cast<const char*>(&part), sizeof(part)) + linker + '\0';
}

std::string complaint(const Status& status) {
    return status ? "" : status.error().message();
}

TEST(Program, TakesAPreloadOrSaysWhyNot) {
    const FakeHost fake;
    fake.write("glibc", program("/lib64/ld-linux-x86-64.so.2"));
    fake.write("musl", program("/lib/ld-musl-x86_64.so.1"));
    fake.write("static", program(""));
    fake.write("narrow", program("/lib/ld-linux.so.2", ELFCLASS32));
    fake.write("text", "hello");
    fake.write("script", "#!" + fake.path("static").string() + " -x\n");
    fake.write("loop", "#!" + fake.path("loop").string() + "\n");
    const auto why = [&](const char* name) {
        return complaint(takes_preload(fake.path(name), {}));
    };
    EXPECT_EQ(why("glibc"), "");
    EXPECT_NE(why("musl").find("musl"), std::string::npos);
    EXPECT_NE(why("static").find("static program"), std::string::npos);
    EXPECT_NE(why("narrow").find("32 bits"), std::string::npos);
    EXPECT_NE(why("text").find("neither"), std::string::npos);
    EXPECT_NE(why("script").find("static program"), std::string::npos);
    EXPECT_NE(why("loop").find("interpreters"), std::string::npos);
    EXPECT_NE(why("none").find("No such file"), std::string::npos);
    EXPECT_EQ(complaint(takes_preload("/proc/self/exe", {})), "");
}

TEST(Program, ThatGainsRightsIgnoresIt) {
    const FakeHost fake;
    fake.write("suid", program("/lib64/ld-linux-x86-64.so.2"));
    ASSERT_EQ(chmod(fake.path("suid").c_str(), 04755), 0);
    EXPECT_EQ(complaint(takes_preload(fake.path("suid"), {getuid(), getgid()})), "");
    EXPECT_NE(complaint(takes_preload(fake.path("suid"), {getuid() + 1, getgid()})).find("owner"),
              std::string::npos);
}

TEST(Program, IsLookedForInPath) {
    EXPECT_TRUE(find_program("sh"));
    EXPECT_FALSE(find_program("no-such-program-of-libra"));
    EXPECT_FALSE(find_program("/nowhere/sh"));
}

TEST(Library, HasToBeOneWithAPlainPath) {
    const FakeHost fake;
    fake.write("lib.so", program(""));
    fake.write("with space.so", program(""));
    fake.write("text.so", "hello");
    EXPECT_EQ(complaint(check_library(fake.path("lib.so"))), "");
    EXPECT_NE(complaint(check_library(fake.path("with space.so"))), "");
    EXPECT_NE(complaint(check_library(fake.path("text.so"))), "");
    EXPECT_NE(complaint(check_library("lib.so")), "");
    EXPECT_NE(complaint(check_library(fake.path("none.so"))).find("install it"), std::string::npos);
    ASSERT_EQ(chmod(fake.path("lib.so").c_str(), 0600), 0);
    EXPECT_NE(complaint(check_library(fake.path("lib.so"))).find("chmod 644"), std::string::npos);
}

TEST(Device, SaysWhoMayOpenIt) {
    const FakeHost fake;
    EXPECT_TRUE(device_access("/dev/null"));
    EXPECT_FALSE(device_access("/dev/null")->root_only);
    EXPECT_NE(device_access(fake.path("none")).error().message().find("modprobe libra"),
              std::string::npos);
    fake.write("file", "");
    EXPECT_FALSE(device_access(fake.path("file")));
}

TEST(Lazy, SwitchedOffIsSeen) {
    const FakeHost fake;
    EXPECT_TRUE(lazy_is_on(fake.host.proc));
    fake.write("proc/sys/net/libra/lazy", "1\n");
    EXPECT_TRUE(lazy_is_on(fake.host.proc));
    fake.write("proc/sys/net/libra/lazy", "0\n");
    EXPECT_FALSE(lazy_is_on(fake.host.proc));
}

}  // namespace
}  // namespace libra::service
