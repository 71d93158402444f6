// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: /dev/libra, and the files that it hands out.
 *
 * An arena is a file of a filesystem of our own, with an inode (and so an
 * address_space) of its own. It has no name and no link, so what is mapped of it is
 * dumped as anonymous shared memory is.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/nsproxy.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/libra_memory.h>

#include "lazy.h"

#define LIBRA_FS_MAGIC		0x4c494252	/* "LIBR" */

atomic_t libra_arenas = ATOMIC_INIT(0);

/*
 * Mounted while there is an arena. The superblock holds the module, because its last
 * steps come after the file has given its own reference back.
 */
static struct file_system_type libra_fs;
static struct vfsmount *libra_mnt;
static int libra_mnt_count;

/**
 * struct libra_arena_file - what is behind the file of an arena
 * @size: bytes
 * @table: its end is a table of freed blocks
 * @mm: of the process that asked for it, for comparison
 * @mapped: it was mapped, and cannot be again
 */
struct libra_arena_file {
	u64 size;
	bool table;
	struct mm_struct *mm;
	atomic_t mapped;
};

static int libra_arena_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct libra_arena_file *arena = file->private_data;
	int err;

	if (vma->vm_mm != arena->mm)
		return -EPERM;
	if (atomic_cmpxchg(&arena->mapped, 0, 1))
		return -EBUSY;
	err = libra_mmap(file, vma, arena->size, arena->table);
	if (err)
		atomic_set(&arena->mapped, 0);
	return err;
}

static int libra_arena_release(struct inode *inode, struct file *file)
{
	struct libra_arena_file *arena = file->private_data;

	mmdrop(arena->mm);
	kfree(arena);
	atomic_dec(&libra_arenas);
	libra_hook_update();
	simple_release_fs(&libra_mnt, &libra_mnt_count);
	return 0;
}

static const struct file_operations libra_arena_fops = {
	.owner = THIS_MODULE,
	.mmap = libra_arena_mmap,
	.release = libra_arena_release,
	.fsync = noop_fsync,	/* msync() has nothing to do, and succeeds */
	.llseek = noop_llseek,
};

/* The file owns @arena once there is one. */
static struct file *libra_arena_file(struct libra_arena_file *arena)
{
	struct inode *inode;
	struct file *file;
	int err;

	err = simple_pin_fs(&libra_fs, &libra_mnt, &libra_mnt_count);
	if (err)
		return ERR_PTR(err);
	inode = alloc_anon_inode(libra_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		file = ERR_CAST(inode);
		goto release_fs;
	}
	clear_nlink(inode);
	inode->i_flags |= S_NOCMTIME;
	inode->i_mode |= S_IFREG;
	i_size_write(inode, arena->size);
	__module_get(THIS_MODULE);	/* for the file; __fput() puts it */
	file = alloc_file_pseudo(inode, libra_mnt, "payload", O_RDWR,
				 &libra_arena_fops);
	if (IS_ERR(file)) {
		iput(inode);
		module_put(THIS_MODULE);
		goto release_fs;
	}
	/* Nobody reclaims its pages by how recently they were used. */
	file->f_mode |= FMODE_NOREUSE;
	file->private_data = arena;
	return file;

release_fs:
	simple_release_fs(&libra_mnt, &libra_mnt_count);
	return file;
}

static int libra_arena_create(const struct libra_arena __user *arg)
{
	struct libra_arena_file *arena;
	struct libra_arena want;
	struct file *file;
	int fd, err;

	if (copy_from_user(&want, arg, sizeof(want)))
		return -EFAULT;
	if (!want.size || want.size % PAGE_SIZE || want.size > LIBRA_ARENA_MAX ||
	    want.flags & ~LIBRA_ARENA_TABLE || want.reserved)
		return -EINVAL;
	if (want.flags & LIBRA_ARENA_TABLE && want.size > LIBRA_ARENA_TABLE_MAX)
		return -EINVAL;
	if (!READ_ONCE(libra_net(current->nsproxy->net_ns)->sysctl.lazy))
		return -EPERM;

	arena = kzalloc(sizeof(*arena), GFP_KERNEL_ACCOUNT);
	if (!arena)
		return -ENOMEM;
	arena->size = want.size;
	arena->table = want.flags & LIBRA_ARENA_TABLE;
	arena->mm = current->mm;
	mmgrab(arena->mm);

	/* Before the hooks are asked for, so that they stay. */
	atomic_inc(&libra_arenas);
	err = libra_hook_enable();
	if (err)
		goto no_file;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto no_file;
	}
	file = libra_arena_file(arena);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		err = PTR_ERR(file);
		goto no_file;
	}
	fd_install(fd, file);
	return fd;

no_file:
	mmdrop(arena->mm);
	kfree(arena);
	atomic_dec(&libra_arenas);
	libra_hook_update();
	return err;
}

static int libra_discard(const struct libra_range __user *arg)
{
	struct libra_process *process;
	struct libra_range range;
	unsigned long addr, end;

	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	addr = range.addr;
	end = range.addr + range.len;
	if (addr % PAGE_SIZE || range.len % PAGE_SIZE || end < addr)
		return -EINVAL;

	process = libra_process_enter();
	if (!process)
		return 0;
	while (addr < end) {
		struct libra_payload *payload;
		unsigned long stop;

		payload = libra_process_find(process, addr, NULL, &stop);
		if (!payload)
			payload = libra_grown_find(addr, &stop);
		stop = min(stop, end);
		if (payload) {
			libra_slots_discard(payload, libra_pgoff(payload, addr),
					    (stop - addr) >> PAGE_SHIFT);
			libra_payload_put(payload);
		}
		addr = stop;
	}
	libra_process_put(process);
	return 0;
}

static long libra_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case LIBRA_IOC_ARENA:
		return libra_arena_create((void __user *)arg);
	case LIBRA_IOC_DISCARD:
		return libra_discard((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations libra_device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = libra_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice libra_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "libra",
	.fops = &libra_device_fops,
	.mode = 0660,
};

static int libra_init_fs_context(struct fs_context *fc)
{
	if (!init_pseudo(fc, LIBRA_FS_MAGIC))
		return -ENOMEM;
	/* What passes for private memory may be made executable, as that may. */
	fc->s_iflags &= ~SB_I_NOEXEC;
	return 0;
}

static struct file_system_type libra_fs = {
	.name = "libra",
	.owner = THIS_MODULE,
	.init_fs_context = libra_init_fs_context,
	.kill_sb = kill_anon_super,
};

int __init libra_lazy_init(void)
{
	int err = libra_shrinker_init();

	if (err)
		return err;
	err = misc_register(&libra_device);
	if (err)
		libra_shrinker_exit();
	return err;
}

void libra_lazy_exit(void)
{
	misc_deregister(&libra_device);
	libra_shrinker_exit();
}
