// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: what an application has in its memory behind a VPI is cleared.
 *
 * It may be of an earlier request, and the application may send it in spite of the marks.
 *
 * A page of memory that nobody has touched reads as zeros already. To write to it would take a
 * fault, a page and the clearing of that, for bytes that are not to be read. C libraries give
 * large buffers back when they are freed, so with many proxies that is each page of each
 * response; natively the copy pays for it.
 */
#include <linux/mm.h>
#include <linux/pkeys.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>

#include "rx.h"

/* How many bytes from @at on, whole pages and at most @len, are mapped: not swapped out. */
static size_t libra_scrub_mapped(unsigned long at, size_t len)
{
	size_t mapped = 0;
	u8 byte;

	pagefault_disable();
	while (mapped < len && !__get_user(byte, (const u8 __user *)(at + mapped)))
		mapped += PAGE_SIZE;
	pagefault_enable();
	return mapped;
}

/* Can nothing but a missing page be the reason why there is none? */
static bool libra_scrub_knows(struct vm_area_struct *vma)
{
	const unsigned long both = VM_READ | VM_WRITE;

	return vma && vma_is_anonymous(vma) && (vma->vm_flags & both) == both &&
	       !vma_pkey(vma) && !userfaultfd_armed(vma);
}

/* How many bytes from @at on, whole pages and at most @len, nobody has touched. */
static size_t libra_scrub_untouched(unsigned long at, size_t len)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	size_t untouched = 0;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, at);
	len = libra_scrub_knows(vma) ? min_t(size_t, len, vma->vm_end - at) : 0;
	while (untouched < len) {
		struct page *page;
		long found;

		/* As for a core dump: an error where it would have to make a page of zeros. */
		found = get_user_pages(at + untouched, 1, FOLL_DUMP, &page);
		if (found == 1)
			put_page(page);
		if (found != -EFAULT)
			break;
		untouched += PAGE_SIZE;
	}
	mmap_read_unlock(mm);
	return untouched;
}

/**
 * libra_scrub() - make memory of the application read as zeros
 * @to: where, in user memory and within one segment; advanced
 * @len: how many bytes
 *
 * Context: process context, of the application; may sleep. Takes mmap_lock, for which the
 * socket lock may be held, as for the fault of a copy.
 * Return: false if some of it cannot be written.
 */
bool libra_scrub(struct iov_iter *to, size_t len)
{
	while (len) {
		unsigned long at = (unsigned long)iter_iov_addr(to);
		size_t pages = round_down(len, PAGE_SIZE);
		size_t n = min_t(size_t, len, PAGE_SIZE - offset_in_page(at));
		bool whole = n == PAGE_SIZE;
		size_t untouched = 0;

		if (whole)
			n = libra_scrub_mapped(at, pages);
		if (!n)
			untouched = libra_scrub_untouched(at, pages);
		if (untouched) {
			n = untouched;
			iov_iter_advance(to, n);
		} else {
			n = n ? : PAGE_SIZE;
			if (iov_iter_zero(n, to) != n)
				return false;
		}
		len -= n;
	}
	return true;
}
