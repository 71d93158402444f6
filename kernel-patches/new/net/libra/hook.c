// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: when the hooks are in place: while there is a parser, an attached socket
 * or payload memory. How they work is up to hook_ftrace.c or hook_static.c.
 */
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "libra.h"
#include "lazy/lazy.h"
#include "token/token.h"

static DEFINE_MUTEX(libra_hook_lock);	/* protects libra_hooked */
static bool libra_hooked;

/**
 * libra_hook_enable() - put the hooks in place
 *
 * Context: process context, sleeps.
 * Return: 0, or what ftrace said (-EBUSY: somebody else, such as a live patch,
 * redirects one of the functions).
 */
int libra_hook_enable(void)
{
	int err = 0;

	mutex_lock(&libra_hook_lock);
	if (!libra_hooked)
		err = libra_hook_install();
	if (!err)
		libra_hooked = true;
	mutex_unlock(&libra_hook_lock);
	return err;
}

/*
 * A parser is in the list, and an arena is counted, before libra_hook_enable()
 * waits for the lock, and no socket is attached without a parser.
 */
static bool libra_hook_unused(void)
{
	return !libra_parsers_registered() && !atomic_read(&libra_attached) &&
	       !atomic_read(&libra_arenas);
}

static void libra_hook_work(struct work_struct *work)
{
	mutex_lock(&libra_hook_lock);
	if (libra_hooked && libra_hook_unused()) {
		libra_hook_remove();
		libra_hooked = false;
	}
	mutex_unlock(&libra_hook_lock);
}

/* Not at once: whoever comes and goes would have everybody's code patched. */
static DECLARE_DELAYED_WORK(libra_hook_update_work, libra_hook_work);

/**
 * libra_hook_update() - a parser, an attached socket or an arena went away
 *
 * Context: any.
 */
void libra_hook_update(void)
{
	if (libra_hook_unused())
		schedule_delayed_work(&libra_hook_update_work, HZ);
}

int __init libra_hook_init(void)
{
	return libra_hook_backend_init();
}

/**
 * libra_hook_exit() - no parser, no socket, no arena: take everything back
 *
 * Context: module exit. When it returns, no task is in our code on behalf of a
 * socket any more, and none will be.
 */
void libra_hook_exit(void)
{
	cancel_delayed_work_sync(&libra_hook_update_work);
	if (libra_hooked)
		libra_hook_remove();
	libra_hook_backend_exit();
	/* The last libra_sk_destruct() may have been preempted at its end. */
	synchronize_rcu_tasks();
}
