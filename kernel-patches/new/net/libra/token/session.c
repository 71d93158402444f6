// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: sessions, of which the processes use attached connections.
 *
 * Who has what in memory, and what it could send it by, is known by the session: it has
 * a process's children as well, and the other workers of the same proxy, which may share
 * memory, files or a cache with it; and no session has two proxies that are strangers.
 *
 * A session is in the table from the first use of an attached connection until none of
 * its processes lives. Readers are under RCU; what is in it is changed under its own lock,
 * or that of passing.c.
 */
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "token.h"

#define LIBRA_SESSION_BITS	10
/* How long those that have ended may stay. */
#define LIBRA_SESSION_TIDY	(10 * HZ)

/* Protects the table and libra_session.received; in process context only. */
static DEFINE_SPINLOCK(libra_sessions_lock);
static DEFINE_HASHTABLE(libra_sessions, LIBRA_SESSION_BITS);
unsigned int libra_sessions_nr;

/* Grows when connections that no policy names may have gone unnoticed. */
static atomic_t libra_sessions_epoch = ATOMIC_INIT(1);

/**
 * libra_session_find() - the session of the current process
 *
 * Context: process context, under RCU.
 * Return: it, or NULL when none of its processes has used an attached connection.
 */
struct libra_session *libra_session_find(void)
{
	struct pid *pid = task_session(current);
	struct libra_session *session;

	hash_for_each_possible_rcu(libra_sessions, session, node, (unsigned long)pid)
		if (session->pid == pid)
			return session;
	return NULL;
}

/**
 * libra_sessions_again() - connections that no policy names have gone unnoticed
 *
 * Each session has to look for its own, before it is handed VPIs again.
 *
 * Context: any.
 */
void libra_sessions_again(void)
{
	/* Pairs with the one in libra_session_join(). */
	atomic_inc_return_release(&libra_sessions_epoch);
}

/* May its processes be handed VPIs? If not, they can after libra_session_join(). */
static bool libra_session_is_ready(const struct libra_session *session)
{
	/* Pairs with the one in libra_session_join(). */
	return session && smp_load_acquire(&session->ready) ==
			  atomic_read(&libra_sessions_epoch);
}

static void libra_session_free(struct rcu_head *rcu)
{
	struct libra_session *session = container_of(rcu, struct libra_session, rcu);
	struct libra_received *received, *next;

	list_for_each_entry_safe(received, next, &session->received, node)
		kfree(received);
	put_pid(session->pid);
	kfree(session);
}

/* Those of which no process is left. Under the lock. */
static void libra_sessions_tidy(void)
{
	struct libra_session *session;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(libra_sessions, i, next, session, node) {
		if (pid_has_task(session->pid, PIDTYPE_SID) || session->looking)
			continue;
		libra_passing_forget(session);
		hash_del_rcu(&session->node);
		WRITE_ONCE(libra_sessions_nr, libra_sessions_nr - 1);
		call_rcu(&session->rcu, libra_session_free);
	}
}

static void libra_sessions_work(struct work_struct *work)
{
	spin_lock(&libra_sessions_lock);
	libra_sessions_tidy();
	spin_unlock(&libra_sessions_lock);
	if (READ_ONCE(libra_sessions_nr))
		queue_delayed_work(system_power_efficient_wq, to_delayed_work(work),
				   LIBRA_SESSION_TIDY);
}

static DECLARE_DEFERRABLE_WORK(libra_sessions_tidy_work, libra_sessions_work);

/* Under the lock. */
static struct libra_session *libra_session_add(struct libra_session *new)
{
	struct libra_session *session = libra_session_find();

	if (session || !new)
		return session;
	new->pid = get_pid(task_session(current));
	INIT_LIST_HEAD(&new->uses);
	INIT_LIST_HEAD(&new->received);
	WRITE_ONCE(libra_sessions_nr, libra_sessions_nr + 1);
	hash_add_rcu(libra_sessions, &new->node, (unsigned long)new->pid);
	queue_delayed_work(system_power_efficient_wq, &libra_sessions_tidy_work,
			   LIBRA_SESSION_TIDY);
	return new;
}

/**
 * libra_session_join() - the current process uses an attached connection
 *
 * If others of its session's connections may not have been noticed, they are looked for.
 * Until that is done, or if it cannot be, the session is not ready.
 *
 * Context: process context, without locks.
 */
void libra_session_join(void)
{
	struct libra_session *session, *new = NULL;
	bool ready, looked;
	int epoch;

	/* Nothing is anchored without one, nor is any other connection attached. */
	if (!libra_parsers_registered())
		return;
	rcu_read_lock();
	session = libra_session_find();
	ready = libra_session_is_ready(session);
	rcu_read_unlock();
	if (ready)
		return;
	if (!session)
		new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	rcu_read_lock();
	spin_lock(&libra_sessions_lock);
	session = libra_session_add(new);
	/* Who comes second need not wait: what he reads meanwhile is copied. */
	if (session && !session->looking)
		session->looking = true;
	else
		session = NULL;
	spin_unlock(&libra_sessions_lock);
	rcu_read_unlock();
	if (new && session != new)
		kfree(new);
	if (!session)
		return;

	/* From here on it stays, even if this process leaves it. */
	libra_hook_strangers();
	epoch = atomic_read_acquire(&libra_sessions_epoch);
	/* The hooks notice what is used from now on, and what was used before is in a table. */
	smp_mb(); /* as on the way from a call that makes a file to one that uses it */
	looked = libra_look_for_strangers(session);

	spin_lock(&libra_sessions_lock);
	if (looked) /* Pairs with the one in libra_session_is_ready(). */
		smp_store_release(&session->ready, epoch);
	session->looking = false;
	spin_unlock(&libra_sessions_lock);
}

static bool libra_session_knows(const struct libra_session *session, u64 cookie)
{
	const struct libra_received *received;

	list_for_each_entry_rcu(received, &session->received, node,
				lockdep_is_held(&libra_sessions_lock))
		if (received->cookie == cookie)
			return true;
	return false;
}

static bool libra_session_learns(struct libra_domain *dom)
{
	struct libra_received *received;
	struct libra_session *session;
	bool known = false;

	spin_lock(&libra_sessions_lock);
	session = libra_session_find();
	if (!session)
		goto out;
	known = libra_session_knows(session, dom->cookie);
	if (known)
		goto out;
	received = kmalloc(sizeof(*received), GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!received)
		goto out;
	received->cookie = dom->cookie;
	received->net = dom->net;
	list_add_tail_rcu(&received->node, &session->received);
	WRITE_ONCE(dom->net->received, true);
	known = true;
out:
	spin_unlock(&libra_sessions_lock);
	return known;
}

/**
 * libra_session_receives() - the current process is about to receive a VPI
 * @dom: of the socket on which
 * @role: of the connections by which it would be sent
 *
 * To be called before each; that its session has VPIs of this domain is remembered.
 *
 * Context: process context.
 * Return: LIBRA_MIB_MAX, or why it must not.
 */
enum libra_mib libra_session_receives(struct libra_domain *dom, enum libra_role role)
{
	enum libra_mib why = LIBRA_MIB_MAX;
	struct libra_session *session;

	rcu_read_lock();
	session = libra_session_find();
	if (!libra_session_is_ready(session))
		why = LIBRA_MIB_FB_JOINING;
	else if (atomic_read(&session->passing[role]))
		why = LIBRA_MIB_FB_EGRESS_PASS;
	else if (!libra_session_knows(session, dom->cookie) && !libra_session_learns(dom))
		why = LIBRA_MIB_FB_NOMEM;
	rcu_read_unlock();
	return why;
}

/**
 * libra_session_has() - may the current process have VPIs of other domains?
 *
 * Context: process context.
 */
bool libra_session_has(void)
{
	const struct libra_session *session;
	bool has;

	rcu_read_lock();
	session = libra_session_find();
	has = session && !list_empty(&session->received);
	rcu_read_unlock();
	return has;
}

/**
 * libra_session_has_vpi() - may the current process have received this?
 * @vpi: LIBRA_VPI_SIZE bytes that begin with the magic
 *
 * Context: process context.
 */
bool libra_session_has_vpi(const u8 vpi[LIBRA_VPI_SIZE])
{
	const struct libra_received *received;
	const struct libra_session *session;
	bool found = false;

	rcu_read_lock();
	session = libra_session_find();
	if (!session)
		goto out;
	list_for_each_entry_rcu(received, &session->received, node) {
		found = libra_vpi_is_authentic(vpi, received->cookie);
		if (found)
			break;
	}
out:
	rcu_read_unlock();
	return found;
}

/**
 * libra_session_has_id() - may the current process have received the VPI of a live anchor?
 * @id: of the anchor
 *
 * Context: process context.
 */
bool libra_session_has_id(u64 id)
{
	const struct libra_received *received;
	const struct libra_session *session;
	bool found = false;

	if (!libra_session_has())
		return false;
	/* Under the lock, because of the network namespaces. */
	rcu_read_lock();
	spin_lock(&libra_sessions_lock);
	session = libra_session_find();
	if (!session)
		goto out;
	list_for_each_entry(received, &session->received, node) {
		found = received->net &&
			libra_domain_has(received->net, received->cookie, id);
		if (found)
			break;
	}
out:
	spin_unlock(&libra_sessions_lock);
	rcu_read_unlock();
	return found;
}

/**
 * libra_sessions_net_exit() - a network namespace ends
 * @ln: network namespace without domains
 *
 * Who received there may have sockets elsewhere, and VPIs in memory.
 *
 * Context: process context.
 */
void libra_sessions_net_exit(const struct libra_net *ln)
{
	struct libra_received *received;
	struct libra_session *session;
	int i;

	spin_lock(&libra_sessions_lock);
	hash_for_each(libra_sessions, i, session, node)
		list_for_each_entry(received, &session->received, node)
			if (received->net == ln)
				received->net = NULL;
	spin_unlock(&libra_sessions_lock);
}

/**
 * libra_sessions_exit() - nobody is attached any more, nor will be
 *
 * Those that were tidied away before may still wait for RCU.
 *
 * Context: module exit, without hooks.
 */
void libra_sessions_exit(void)
{
	struct libra_session *session;
	struct hlist_node *next;
	int i;

	cancel_delayed_work_sync(&libra_sessions_tidy_work);
	hash_for_each_safe(libra_sessions, i, next, session, node) {
		hash_del(&session->node);
		libra_session_free(&session->rcu);
	}
}
