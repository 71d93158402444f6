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
 * @flags: LIBRA_ARENA_TABLE or 0
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

/*
 * The last pages of the arena, from LIBRA_TABLE_START() on, are a table by which an
 * allocator says what is free, without a system call: a __u16 for each page of the
 * arena, zeros in the beginning. Such an arena is not larger than
 * LIBRA_ARENA_TABLE_MAX. The entry of the first page of a free block is a state
 * and how many pages there are. Nobody may use such a block; what it holds is given
 * back when it is found free twice (every net.libra.lazy_tidy_ms, or five times that in a
 * process that does nothing), or when memory is short.
 *
 *	state		set by		means
 *	0		the application	in use, or within a free block
 *	FREE_NEW	the application	free
 *	FREE_OLD	the kernel	free for a while
 *	FREE_BUSY	the kernel	about to become zeros
 *	FREE_ZEROS	the kernel	free, and reads as zeros
 *
 * A block that is free is used again by an atomic exchange of its entry for 0, if it is
 * FREE_NEW or FREE_OLD (then it is as it was left) or FREE_ZEROS. One that is busy has
 * to be waited for, or left alone. After a fork the child has a table of its own, in
 * which what was busy or zeros is FREE_OLD; nothing of it is given back before the child
 * has written to the page of the table.
 *
 * The kernel gives back nothing of a process that had locked memory when it last received,
 * sent, or took a fault in payload memory.
 */
#define LIBRA_ARENA_TABLE	1
#define LIBRA_ARENA_TABLE_MAX	(1ULL << 30)
#define LIBRA_TABLE_START(size, page_size)	\
	((size) - ((size) / (page_size) * 2 + (page_size) - 1) / (page_size) * (page_size))

#define LIBRA_FREE_PAGES	0x1fff
#define LIBRA_FREE_STATE	0xe000
#define LIBRA_FREE_NEW		0x2000
#define LIBRA_FREE_OLD		0x4000
#define LIBRA_FREE_BUSY		0x6000
#define LIBRA_FREE_ZEROS	0x8000

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
