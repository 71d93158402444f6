// SPDX-License-Identifier: GPL-2.0-only
//
// Does CMPXCHG16B leave flags that no processor has? That of QEMU 7.2 takes them from
// the operand of an addition before it, if flags were loaded before that in another
// block of instructions.
#include <stdint.h>
#include <stdio.h>

// What ADD may set and CMPXCHG16B keeps, IF, and what is always set.
#define USUAL_FLAGS 0xad7

int main(void) {
    static uint64_t memory[2] __attribute__((aligned(16)));
    const uint64_t operand = 0xff12f2948c665600;
    uint64_t flags;

    __asm__ volatile(
        "pushfq; popfq; jmp 1f\n"
        "1: xor %%eax, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%ebx\n"
        "add %2, %%rdi\n"
        "lock cmpxchg16b %1\n"
        "pushfq; pop %0\n"
        "pushq $0x202; popfq"
        : "=&r"(flags), "+m"(memory)
        : "r"(operand)
        : "rax", "rbx", "rcx", "rdx", "rdi", "cc", "memory");
    printf("%#jx\n", (uintmax_t)flags);
    return (flags & ~(uint64_t)USUAL_FLAGS) != 0;
}
