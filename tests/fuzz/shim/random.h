/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What get_random_bytes() of kernel.h gives: these bytes, which must stay, and
 * then a count.
 */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C"
#endif
void set_random_bytes(const uint8_t *bytes, size_t size);

#endif /* FUZZ_RANDOM_H */
