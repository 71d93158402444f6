/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libra-malloc: what the library says of itself. A program that may run without
 * it declares the function weak:
 *
 *	#pragma weak libra_malloc_stats
 *	if (libra_malloc_stats && libra_malloc_stats(&stats) == 0)
 */
#ifndef LIBRA_MALLOC_H
#define LIBRA_MALLOC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum libra_malloc_device {
    LIBRA_MALLOC_UNUSED,   /* no block was large enough yet to ask */
    LIBRA_MALLOC_OPEN,     /* blocks come from payload memory */
    LIBRA_MALLOC_MISSING,  /* there is no /dev/libra */
    LIBRA_MALLOC_REFUSED,  /* there is, but see device_errno */
    LIBRA_MALLOC_ORDINARY, /* LIBRA_MALLOC_DEVICE=none: blocks come from private memory */
};

struct libra_malloc_stats {
    enum libra_malloc_device device;
    int device_errno;   /* why it is missing, refused, or gave nothing last time */
    size_t min_block;   /* LIBRA_MALLOC_MIN as understood */
    size_t arenas;      /* mappings of payload memory */
    size_t retired;     /* of them, inherited by fork: nothing new is put there */
    size_t blocks;      /* in use, in payload memory */
    size_t bytes;       /* in use, in payload memory, as malloc_usable_size() has it */
    size_t kept;        /* bytes that free() kept and the kernel does not know free */
    uint64_t fallbacks; /* blocks of min_block or more that the C library gave */
};

/* 0, or -1 and EINVAL where @out is NULL. */
int libra_malloc_stats(struct libra_malloc_stats* out);

#ifdef __cplusplus
}
#endif

#endif
