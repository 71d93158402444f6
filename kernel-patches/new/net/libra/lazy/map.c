// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: the mapping, as mm sees it.
 *
 * It is a shared mapping of a file that nobody else has, so its page tables hold
 * nothing that a fault cannot bring back, and any of it may be unmapped at any
 * time. The slots make private memory of it: fork gives the child slots of its own.
 *
 * A fork cannot give the child another file, nor other offsets in it (vm_ops->open
 * comes before the VMA is linked behind its parent's in the tree of the mapping), so
 * relatives share an address_space: unmapping a page of one unmaps what the other
 * has at that offset, and a fault brings that back.
 */
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pagemap.h>
#include <linux/pkeys.h>
#include <linux/sched/signal.h>
#include <uapi/linux/libra_memory.h>

#include "lazy.h"

static pgoff_t libra_vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

/* Where page 0 would be, if it were mapped as this VMA is. */
static unsigned long libra_vma_origin(const struct vm_area_struct *vma)
{
	return vma->vm_start - (vma->vm_pgoff << PAGE_SHIFT);
}

static vm_fault_t libra_vm_fault(struct vm_fault *vmf)
{
	enum libra_looker who = LIBRA_LOOKER_USER;
	struct libra_payload *payload = vmf->vma->vm_private_data;
	struct page *page;

	libra_tidy_active(payload->process, vmf->vma->vm_mm);
	/* The kernel writes what the application reads next: that is no look at it. */
	if (!(vmf->flags & FAULT_FLAG_USER))
		who = vmf->flags & FAULT_FLAG_WRITE ? LIBRA_LOOKER_WRITER :
						      LIBRA_LOOKER_KERNEL;
	page = libra_slot_fault(payload, vmf->pgoff, who);
	if (!page)
		return VM_FAULT_OOM;
	if (unlikely(PageHWPoison(page))) {
		/* mm would take a clean page of a file away from its slot. */
		unlock_page(page);
		put_page(page);
		return VM_FAULT_HWPOISON;
	}
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

/* Its being there lets faults run under the VMA's lock; there is nothing around. */
static vm_fault_t libra_vm_map_pages(struct vm_fault *vmf, pgoff_t start,
				     pgoff_t end)
{
	return 0;
}

/* The parent's VMA is locked for writing, the child's is in no tree yet. */
static void libra_vm_fork(struct vm_area_struct *vma)
{
	struct libra_payload *parent = vma->vm_private_data;
	struct libra_process *process;
	struct libra_payload *child;

	process = libra_process_fork(parent->process, vma->vm_mm);
	child = libra_process_twin(process, parent);
	if (child) {
		atomic_inc(&child->vmas);
		libra_process_put(process);
	} else {
		child = libra_payload_alloc(process, parent->file, parent->start,
					    GFP_KERNEL | __GFP_NOFAIL);
		child->native = READ_ONCE(parent->native);
		child->table = parent->table;
		child->table_end = parent->table_end;
	}
	libra_process_add(process, vma->vm_start, vma->vm_end, child,
			  GFP_KERNEL | __GFP_NOFAIL);
	libra_slots_fork(parent, child, vma->vm_pgoff, libra_vma_pages(vma));
	vma->vm_private_data = child;
	/* It has what its parent kept for nothing. */
	libra_tidy_active(process, vma->vm_mm);
}

/* A fork, a part that was split off, or the copy that mremap() makes. */
static void libra_vm_open(struct vm_area_struct *vma)
{
	struct libra_payload *payload = vma->vm_private_data;

	if (vma->vm_mm != payload->process->mm)
		libra_vm_fork(vma);
	else
		atomic_inc(&payload->vmas);
}

static void libra_vm_close(struct vm_area_struct *vma)
{
	struct libra_payload *payload = vma->vm_private_data;

	if (atomic_dec_and_test(&payload->vmas)) {
		libra_payload_close(payload);
	} else if (libra_vma_origin(vma) == payload->start) {
		/* Not the copy that a refused mremap() made: these are its slots. */
		libra_process_cut(payload->process, vma->vm_start, vma->vm_end,
				  payload);
		libra_slots_forget(payload, vma->vm_pgoff, libra_vma_pages(vma));
	}
}

/*
 * Where a native copy would fail, none of ours must succeed, neither into memory
 * that may not be written nor out of memory that may not be read. A call under way
 * may have looked before: it goes on as if it had been faster.
 */
static int libra_vm_mprotect(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end, unsigned long newflags)
{
	struct libra_payload *payload = vma->vm_private_data;

	if (!(newflags & VM_WRITE) ||
	    (newflags ^ vma->vm_flags) & ARCH_VM_PKEY_FLAGS)
		WRITE_ONCE(payload->native, true);
	return 0;
}

/* Slots are found by address. mremap() puts everything back. */
static int libra_vm_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct libra_vm_ops = {
	.open = libra_vm_open,
	.close = libra_vm_close,
	.fault = libra_vm_fault,
	.map_pages = libra_vm_map_pages,
	.mprotect = libra_vm_mprotect,
	.mremap = libra_vm_mremap,
};

/**
 * libra_mmap() - map an arena for the first and only time
 * @file: of the arena
 * @vma: as for file_operations.mmap
 * @size: of the arena
 * @table: its end is a table of freed blocks
 *
 * Context: under mmap_lock for writing.
 * Return: 0, -EINVAL, -ENOMEM.
 */
int libra_mmap(struct file *file, struct vm_area_struct *vma, u64 size, bool table)
{
	pgoff_t last = vma->vm_pgoff + libra_vma_pages(vma);
	struct libra_process *process;
	struct libra_payload *payload;
	int err;

	if (!(vma->vm_flags & VM_SHARED) || last < vma->vm_pgoff ||
	    last > size >> PAGE_SHIFT)
		return -EINVAL;

	process = libra_process_get(vma->vm_mm, current->nsproxy->net_ns,
				    GFP_KERNEL);
	if (!process)
		return -ENOMEM;
	/* It would count, if it were the private memory that it passes for. */
	if (vma->vm_mm->data_vm + libra_process_pages(process) +
	    libra_vma_pages(vma) > rlimit(RLIMIT_DATA) >> PAGE_SHIFT) {
		libra_process_put(process);
		return -ENOMEM;
	}
	payload = libra_payload_alloc(process, file, libra_vma_origin(vma),
				      GFP_KERNEL);
	if (!payload) {
		libra_process_put(process);
		return -ENOMEM;
	}
	payload->native = !(vma->vm_flags & VM_WRITE);
	if (table) {
		payload->table = LIBRA_TABLE_START(size, PAGE_SIZE) >> PAGE_SHIFT;
		payload->table_end = payload->table ? size >> PAGE_SHIFT : 0;
	}
	err = libra_process_add(process, vma->vm_start, vma->vm_end, payload,
				GFP_KERNEL);
	if (err) {
		libra_payload_close(payload);
		return err;
	}
	vma->vm_private_data = payload;
	vma->vm_ops = &libra_vm_ops;
	/* So that no other mapping of the file is merged with it, unasked. */
	vm_flags_set(vma, VM_NOHUGEPAGE);
	return 0;
}

/**
 * libra_grown_find() - the mapping at an address that mremap() added to one
 * @addr: address that libra_process_find() does not know
 * @end: where what is unknown ends; lowered to where this mapping ends, or the next
 *	begins
 *
 * Nothing tells us that a mapping grew. Its new part is received into and sent from
 * natively, for which it need not be known.
 *
 * Context: process context; takes mmap_lock.
 * Return: with a reference, or NULL.
 */
struct libra_payload *libra_grown_find(unsigned long addr, unsigned long *end)
{
	struct libra_payload *payload = NULL;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start > addr) {
		*end = min(*end, vma->vm_start);
	} else if (vma) {
		*end = min(*end, vma->vm_end);
		if (vma->vm_ops == &libra_vm_ops) {
			payload = vma->vm_private_data;
			refcount_inc(&payload->ref);
		}
	}
	mmap_read_unlock(mm);
	return payload;
}
