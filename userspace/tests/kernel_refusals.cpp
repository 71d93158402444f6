// SPDX-License-Identifier: GPL-2.0-only
// What the kernel refuses, and what librad then says. Needs root and a kernel
// with Libra in which no librad runs, so it is not among the unit tests.
#include <gtest/gtest.h>
#include <refused.skel.h>

#include "bpf_object.h"
#include "kernel_support.h"
#include "policy_program.h"

namespace libra {
namespace {

TEST(Kernel, IsSupported) {
    const auto files = check_kernel_files();
    ASSERT_TRUE(files) << files.error().message();
    const auto abi = check_kernel_abi();
    ASSERT_TRUE(abi) << abi.error().message();
}

TEST(Kernel, VerifierRefusalIsOneLineWithItsCause) {
    std::size_t size = 0;
    const auto* elf = static_cast<const std::byte*>(refused_bpf__elf_bytes(&size));
    const auto object = BpfObject::load("refused", {elf, size});
    ASSERT_FALSE(object);
    const std::string& message = object.error().message();
    EXPECT_EQ(message,
              "the kernel refuses BPF object refused: the verifier says: only seg_len, reason "
              "and scratch of libra_ctx can be written; build librad and libra from the same tree "
              "(librad "
              "--verbose tells more)");
}

TEST(Kernel, PolicyIsReplacedAndCounted) {
    auto program = PolicyProgram::load();
    ASSERT_TRUE(program) << program.error().message();
    const libra_policy empty{};
    for (int i = 0; i < 3; ++i) {
        const auto status = program->install(empty);
        ASSERT_TRUE(status) << status.error().message();
    }
    for (const auto& status : {program->adopt(LIBRA_MATCH_PASSIVE), program->stop(1)})
        EXPECT_TRUE(status) << status.error().message();
    ASSERT_TRUE(program->clear_counters(LIBRA_MAX_RULES - 1));
    EXPECT_FALSE(program->clear_counters(LIBRA_MAX_RULES));
    const auto counters = program->counters(0);
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->matched, 0U);
}

TEST(Kernel, NoMoreIsTakenOffThanIsUnattached) {
    auto program = PolicyProgram::load();
    ASSERT_TRUE(program) << program.error().message();
    const auto waiting = program->unattached();
    ASSERT_TRUE(waiting) << waiting.error().message();
    EXPECT_EQ(*waiting, 0U);
    EXPECT_TRUE(program->attached_since(0));
    const auto refused = program->attached_since(1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "/proc/sys/net/libra/unattached: Invalid argument");
}

}  // namespace
}  // namespace libra

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    libra::capture_libbpf_log();
    return RUN_ALL_TESTS();
}
