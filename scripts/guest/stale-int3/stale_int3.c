// SPDX-License-Identifier: GPL-2.0-only
/*
 * For guests of QEMU that emulate each CPU in a thread of its own (scripts/vm --parallel).
 *
 * A CPU that writes to a page from which code was translated drops the translations first
 * and stores then. Another CPU that translates anew between the two takes what was there
 * before, and nothing drops that any more. Linux patches its text by an int3 in the place
 * of the first byte, which goes last of all: this int3 is what may stay, for good, where
 * memory has long had an instruction again. It is no trap that anybody set: "Oops: int3".
 *
 * Here such a trap does what the instruction in memory does, which is one of the few that
 * are patched in. Then the page is written to, with what it holds, so that the
 * translation goes. The kernel that is tested never learns of any of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <asm/nops.h>
#include <asm/text-patching.h>

static unsigned int count;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "traps that nobody had set");

static unsigned long stale;
static atomic_t again;

static void mend(struct work_struct *work)
{
	unsigned long addr = xchg(&stale, 0);
	struct page *page;
	void *alias;

	if (!addr)
		return;
	page = pfn_to_page(slow_virt_to_phys((void *)addr) >> PAGE_SHIFT);
	alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	if (!alias)
		return;
	/* Atomic: the kernel may be patching this very byte. */
	asm volatile("lock; orb $0, %0" : "+m"(*(u8 *)(alias + offset_in_page(addr))));
	vunmap(alias);
	pr_info("dropped an old int3 at %pS, the %uth trap\n", (void *)addr, READ_ONCE(count));
}
static DECLARE_WORK(mending, mend);

static void start_mending(struct irq_work *work)
{
	schedule_work(&mending);
}
static DEFINE_IRQ_WORK(start, start_mending);

/* What memory holds at addr, if it is something that the kernel patches in. */
static bool emulate(struct pt_regs *regs, const u8 *insn)
{
	static const u8 nop2[] = { BYTES_NOP2 }, nop5[] = { BYTES_NOP5 };
	unsigned long addr = (unsigned long)insn;

	switch (insn[0]) {
	case CALL_INSN_OPCODE:
		int3_emulate_call(regs, addr + CALL_INSN_SIZE + *(s32 *)(insn + 1));
		return true;
	case JMP32_INSN_OPCODE:
		int3_emulate_jmp(regs, addr + JMP32_INSN_SIZE + *(s32 *)(insn + 1));
		return true;
	case JMP8_INSN_OPCODE:
		int3_emulate_jmp(regs, addr + JMP8_INSN_SIZE + *(s8 *)(insn + 1));
		return true;
	case RET_INSN_OPCODE:
		int3_emulate_ret(regs);
		return true;
	}
	if (!memcmp(insn, nop5, sizeof(nop5)))
		int3_emulate_jmp(regs, addr + sizeof(nop5));
	else if (!memcmp(insn, nop2, sizeof(nop2)))
		int3_emulate_jmp(regs, addr + sizeof(nop2));
	else if (insn[0] == 0x0f && (insn[1] & 0xf0) == 0x80)
		int3_emulate_jcc(regs, insn[1] & 0xf, addr + 6, *(s32 *)(insn + 2));
	else
		return false;
	return true;
}
NOKPROBE_SYMBOL(emulate);

static int trapped(struct notifier_block *nb, unsigned long what, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;
	unsigned long addr = regs->ip - INT3_INSN_SIZE;

	if (what != DIE_INT3 || user_mode(regs))
		return NOTIFY_DONE;
	/*
	 * Interrupts are off, and whoever patches text waits for every CPU between an int3
	 * and what is behind it: what is no int3 now is a whole instruction.
	 */
	if (READ_ONCE(*(u8 *)addr) == INT3_INSN_OPCODE) {
		/* Just now, then the kernel will know it; or somebody's own. */
		if (atomic_inc_return(&again) > 1000)
			return NOTIFY_DONE;
		regs->ip = addr;
		return NOTIFY_STOP;
	}
	if (!emulate(regs, (const u8 *)addr))
		return NOTIFY_DONE;
	atomic_set(&again, 0);
	WRITE_ONCE(count, READ_ONCE(count) + 1);
	WRITE_ONCE(stale, addr);
	irq_work_queue(&start);
	return NOTIFY_STOP;
}
NOKPROBE_SYMBOL(trapped);

static struct notifier_block notifier = { .notifier_call = trapped, .priority = INT_MAX };

static int __init stale_int3_init(void)
{
	return register_die_notifier(&notifier);
}
module_init(stale_int3_init);

MODULE_DESCRIPTION("Copes with breakpoints that an emulator's translations kept");
MODULE_LICENSE("GPL");
