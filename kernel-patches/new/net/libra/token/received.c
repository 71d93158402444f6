// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: who may have VPIs of which domain in memory.
 *
 * Bytes that look like a VPI are one if their MAC says so, under the cookie of a domain
 * in which the sender received: of the connection's own domain, or of another one in
 * which the sender's session did. Whatever else looks like one was made up by somebody
 * who knows a magic, or brought along from another process, and is data like any other:
 * nobody loses a connection for what a stranger uploads.
 *
 * A cookie and its receivers are remembered for longer than the domain, until the network
 * namespace has ended and the sessions as well: memory of their processes may hold VPIs
 * for as long as these live.
 */
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "token.h"

/**
 * struct libra_received - of one domain
 * @node: in the list, RCU
 * @net: its network namespace, NULL when that has ended
 * @cookie: of the domain, and of the one that has its id next
 * @by: who received there; written under the lock, read without
 * @rcu: to free it
 */
struct libra_received {
	struct list_head node;
	struct libra_net *net;
	u64 cookie;
	struct libra_sessions by;
	struct rcu_head rcu;
};

/* Protects the list and what is in it; in process context only. */
static DEFINE_SPINLOCK(libra_received_lock);
static LIST_HEAD(libra_received_list);

/* Grows with each change: what was found out before may be no longer so. */
static u32 libra_received_changes;

/**
 * libra_session() - whose process is the current one?
 *
 * Return: the session, as the initial PID namespace numbers it.
 */
pid_t libra_session(void)
{
	return task_session_nr_ns(current, &init_pid_ns);
}

/**
 * libra_sessions_have() - is the current process among them?
 * @sessions: set
 * @near: it uses a socket of the network namespace that the set is about; who is
 *	elsewhere is not taken for one of too many
 *
 * Context: process context, under the lock of the set; without it, what is noted
 * just now may be missed.
 */
bool libra_sessions_have(const struct libra_sessions *sessions, bool near)
{
	u32 i, nr = READ_ONCE(sessions->nr);
	pid_t id = libra_session();

	if (nr > LIBRA_SESSIONS) {
		if (near)
			return true;
		nr = LIBRA_SESSIONS;
	}
	for (i = 0; i < nr; i++)
		if (READ_ONCE(sessions->id[i]) == id)
			return true;
	return false;
}

/**
 * libra_sessions_note() - the current process is one of them
 * @sessions: set
 *
 * Context: process context, under the lock of the set.
 */
void libra_sessions_note(struct libra_sessions *sessions)
{
	if (libra_sessions_have(sessions, true))
		return;
	if (sessions->nr < LIBRA_SESSIONS)
		WRITE_ONCE(sessions->id[sessions->nr], libra_session());
	WRITE_ONCE(sessions->nr, sessions->nr + 1);
}

static bool libra_session_lives(pid_t id)
{
	struct pid *pid;
	bool lives;

	rcu_read_lock();
	pid = find_pid_ns(id, &init_pid_ns);
	lives = pid && pid_task(pid, PIDTYPE_SID);
	rcu_read_unlock();
	return lives;
}

/*
 * There is no room for another one: in the place of a session that has ended. Nobody
 * is moved, because others look without the lock.
 */
static void libra_sessions_reuse(struct libra_sessions *sessions)
{
	u32 i;

	for (i = 0; i < LIBRA_SESSIONS; i++) {
		if (libra_session_lives(sessions->id[i]))
			continue;
		WRITE_ONCE(sessions->id[i], libra_session());
		return;
	}
}

static struct libra_received *libra_received_find(u64 cookie)
{
	struct libra_received *received;

	list_for_each_entry(received, &libra_received_list, node)
		if (received->cookie == cookie)
			return received;
	received = kzalloc(sizeof(*received), GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	if (received)
		received->cookie = cookie;
	return received;
}

/**
 * libra_received_note() - the current process is about to receive VPIs
 * @dom: of the socket on which
 *
 * To be called before each.
 *
 * Context: process context.
 * Return: false when there is no memory to remember that, so it must not happen.
 */
bool libra_received_note(struct libra_domain *dom)
{
	struct libra_received *received = READ_ONCE(dom->received);

	if (likely(received && libra_sessions_have(&received->by, true)))
		return true;
	spin_lock(&libra_received_lock);
	received = libra_received_find(dom->cookie);
	if (!received)
		goto out;
	if (received->by.nr == LIBRA_SESSIONS)
		libra_sessions_reuse(&received->by);
	libra_sessions_note(&received->by);
	if (!received->net) {
		received->net = dom->net;
		list_add_tail_rcu(&received->node, &libra_received_list);
	}
	/* Pairs with the one in libra_received_any(). */
	smp_store_release(&libra_received_changes, libra_received_changes + 1);
	WRITE_ONCE(dom->received, received);
out:
	spin_unlock(&libra_received_lock);
	return received;
}

static bool libra_received_here(const struct libra_received *received,
				const struct libra_domain *dom)
{
	return libra_sessions_have(&received->by, READ_ONCE(received->net) == dom->net);
}

static bool libra_received_look(const struct libra_domain *dom)
{
	const struct libra_received *received;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(received, &libra_received_list, node) {
		found = received->cookie == dom->cookie ||
			libra_received_here(received, dom);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

/**
 * libra_received_any() - is there anything to look for in what the current process sends?
 * @ls: the socket
 *
 * VPIs of the socket's domain, whoever received them, or others that are its session's.
 *
 * Context: process context.
 */
bool libra_received_any(struct libra_sock *ls)
{
	u32 changes, session = libra_session();
	u64 known;
	bool any;

	if (!READ_ONCE(libra_vpi_minted))
		return false;
	/*
	 * Pairs with the one in libra_received_note(), which came before the VPIs that the
	 * current process has.
	 */
	changes = smp_load_acquire(&libra_received_changes);
	known = READ_ONCE(ls->looked_for);
	if (likely(known >> 1 == ((u64)changes << 31 | session)))
		return known & 1;
	any = libra_received_look(ls->dom);
	WRITE_ONCE(ls->looked_for, ((u64)changes << 31 | session) << 1 | any);
	return any;
}

/**
 * libra_received_id() - is this the id of a live VPI that the sender can have received?
 * @dom: of the socket by which it is sent
 * @id: of what may be a part of a VPI
 *
 * Nobody else knows one.
 *
 * Context: process context.
 */
bool libra_received_id(struct libra_domain *dom, u64 id)
{
	const struct libra_received *received;
	bool found = libra_minted_is_live(dom, id);

	if (found)
		return true;
	/* Under the lock, because of the network namespace. */
	spin_lock(&libra_received_lock);
	list_for_each_entry(received, &libra_received_list, node) {
		found = received->net && libra_received_here(received, dom) &&
			libra_domain_has(received->net, received->cookie, id);
		if (found)
			break;
	}
	spin_unlock(&libra_received_lock);
	return found;
}

/**
 * libra_received_vpi() - is this a VPI that the sender can have received?
 * @dom: of the socket by which it is sent
 * @vpi: LIBRA_VPI_SIZE bytes that begin with the magic
 *
 * Or one of the marks that go with it. Of another domain only if the current process's
 * session received there.
 *
 * Context: process context.
 */
bool libra_received_vpi(struct libra_domain *dom, const u8 vpi[LIBRA_VPI_SIZE])
{
	const struct libra_received *received;
	bool found;

	if (libra_vpi_is_authentic(vpi, dom->cookie))
		return true;
	found = false;
	rcu_read_lock();
	list_for_each_entry_rcu(received, &libra_received_list, node) {
		found = libra_received_here(received, dom) &&
			libra_vpi_is_authentic(vpi, received->cookie);
		if (found)
			break;
	}
	rcu_read_unlock();
	/* Or it is one that was tampered with. */
	return found || libra_received_id(dom, libra_vpi_id(vpi));
}

static bool libra_received_is_over(const struct libra_received *received)
{
	u32 i;

	if (received->net)
		return false;
	/* Too many to know them all. */
	if (received->by.nr > LIBRA_SESSIONS)
		return true;
	for (i = 0; i < received->by.nr; i++)
		if (libra_session_lives(received->by.id[i]))
			return false;
	return true;
}

/**
 * libra_received_exit() - a network namespace ends
 * @ln: network namespace without domains
 *
 * Who received there may have sockets elsewhere.
 *
 * Context: process context.
 */
void libra_received_exit(const struct libra_net *ln)
{
	struct libra_received *received, *next;

	spin_lock(&libra_received_lock);
	list_for_each_entry_safe(received, next, &libra_received_list, node) {
		if (received->net == ln)
			WRITE_ONCE(received->net, NULL);
		if (!libra_received_is_over(received))
			continue;
		list_del_rcu(&received->node);
		kfree_rcu(received, rcu);
	}
	spin_unlock(&libra_received_lock);
}

/**
 * libra_received_free() - nobody is attached any more, nor will be
 *
 * Context: module exit.
 */
void libra_received_free(void)
{
	struct libra_received *received, *next;

	list_for_each_entry_safe(received, next, &libra_received_list, node)
		kfree(received);
}
