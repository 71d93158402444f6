/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Libra: payload memory, /dev/libra.
 *
 * Memory in which recv() on a TCP socket leaves whole pages unwritten, and keeps
 * what belongs there in the kernel instead, until somebody looks. It behaves as
 * private anonymous memory does but for what
 * Documentation/networking/libra.rst lists. How to get some:
 *
 *	int dev = open("/dev/libra", O_RDWR | O_CLOEXEC);
 *	struct libra_arena arena = { .size = 64 << 20 };
 *	int fd = ioctl(dev, LIBRA_IOC_ARENA, &arena);
 *	void *p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
 *	close(fd);
 *
 * An arena can be mapped once (then EBUSY), by the process that asked for it
 * (others: EPERM); a child gets a copy of its own by fork(), as of private memory.
 */
#ifndef _UAPI_LINUX_LIBRA_MEMORY_H
#define _UAPI_LINUX_LIBRA_MEMORY_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LIBRA_DEVICE		"/dev/libra"

/**
 * struct libra_arena - argument of LIBRA_IOC_ARENA
 * @size: bytes, a multiple of the page size, at most LIBRA_ARENA_MAX
 * @flags: 0
 *
 * The ioctl returns a file descriptor (close-on-exec) to be mapped with
 * MAP_SHARED; -1 and errno EINVAL (@size, @flags), ENOMEM, EMFILE, ENFILE, EBUSY
 * (somebody else, such as a live patch, redirects what Libra hooks), or EPERM
 * (net.libra.lazy is 0).
 */
struct libra_arena {
	__u64	size;
	__u32	flags;
	__u32	reserved;
};

#define LIBRA_ARENA_MAX		(1ULL << 40)

/**
 * struct libra_range - argument of LIBRA_IOC_DISCARD
 * @addr: page-aligned address of the calling process
 * @len: bytes, a multiple of the page size
 *
 * What is there is forgotten: it reads as zeros afterwards, and no page and no
 * payload is kept for it. What madvise(MADV_DONTNEED) does to private memory, and
 * does not do to payload memory. Addresses that are not payload memory are left
 * alone. -1 and errno EINVAL for a range that is not page-aligned or wraps.
 */
struct libra_range {
	__u64	addr;
	__u64	len;
};

#define LIBRA_IOC_ARENA		_IOW(0xBA, 1, struct libra_arena)
#define LIBRA_IOC_DISCARD	_IOW(0xBA, 2, struct libra_range)

#endif /* _UAPI_LINUX_LIBRA_MEMORY_H */
