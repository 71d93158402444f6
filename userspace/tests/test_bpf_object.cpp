// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "bpf_object.h"

namespace libra {
namespace {

TEST(LogSummary, IsTheVerifiersLastWord) {
    EXPECT_EQ(log_summary("libbpf: prog 'p': BPF program load failed: Permission denied\n"
                          "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n"
                          "0: R1=ctx() R10=fp0\n"
                          "1: (79) r0 = *(u64 *)(r2 +0)\n"
                          "R2 !read_ok\n"
                          "processed 2 insns (limit 1000000) max_states_per_insn 0\n"
                          "-- END PROG LOAD LOG --\n"
                          "libbpf: failed to load object 'o'\n"),
              "the verifier says: R2 !read_ok");
}

TEST(LogSummary, IsWhyAndNotWhereSomethingIsNotWritten) {
    const std::string begin =
        "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n"
        "; odd = 1; @ odd.bpf.c:1\n"
        "1: (63) *(u32 *)(r1 +12) = r2\n";
    const std::string where = "R1 cannot write into ptr_libra_ctx at off=12 size=4\n";
    const std::string end = "-- END PROG LOAD LOG --\n";
    EXPECT_EQ(log_summary(begin + "only this can be written\n" + where + end),
              "the verifier says: only this can be written");
    EXPECT_EQ(log_summary(begin + where + end),
              "the verifier says: R1 cannot write into ptr_libra_ctx at off=12 size=4");
}

TEST(LogSummary, IsTheFirstComplaintWithoutVerifier) {
    EXPECT_EQ(log_summary("libbpf: extern (func ksym) 'f': not found\n"
                          "libbpf: failed to load object 'o'\n"),
              "extern (func ksym) 'f': not found");
    EXPECT_EQ(log_summary(""), "");
}

TEST(BpfObjectLoad, RefusesWhatIsNoElf) {
    const std::byte junk[64] = {};
    const auto object = BpfObject::load("junk", junk);
    ASSERT_FALSE(object);
    EXPECT_NE(object.error().message().find("junk"), std::string::npos);
}

}  // namespace
}  // namespace libra
