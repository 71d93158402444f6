/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: per-CPU variables without a named address space, before any other header.
 *
 * Newer kernels have declared them with one since __typeof_unqual__, and gcc then describes a
 * type twice in one object: once as it is, once as what __seg_gs pointers point to. pahole,
 * before libbpf 1.6, takes neither for the kernel's, so struct sock and all that leads there is
 * in the module's BTF again, and the verifier, which compares types by their number, refuses
 * the kernel's as arguments of the module's functions.
 *
 * These headers have the accessors for compilers without such address spaces, too. They come
 * to the same instructions, and no layout depends on them.
 */
#include <generated/uapi/linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#undef CONFIG_USE_X86_SEG_SUPPORT
#undef CONFIG_CC_HAS_NAMED_AS
#endif
