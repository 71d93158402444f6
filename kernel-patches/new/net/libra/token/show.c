// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: /proc/net/libra_sockets, what is known of each attached connection.
 *
 * Nothing is kept for it: there is no list of attached sockets, so TCP's own hash is
 * walked, as /proc/net/tcp does. Of what is shown nothing is locked. Each value is one
 * that it had, but two need not be of the same moment.
 */
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>

#include "token.h"

/* Of the position: which of the attached ones in a bucket. */
#define LIBRA_SOCKETS_NTH_BITS	16

static const char *const libra_seg_names[] = {
	[LIBRA_SEG_ASK] = "boundary",
	[LIBRA_SEG_META] = "meta",
	[LIBRA_SEG_PAYLOAD] = "payload",
	[LIBRA_SEG_PASS] = "pass",
};

static void libra_seg_show(struct seq_file *seq, const char *dir,
			   const struct libra_seg *seg, u64 payload, u64 kept)
{
	/* Pairs with libra_seg_pass(). */
	u8 state = smp_load_acquire(&seg->state);
	u64 left = READ_ONCE(seg->left);

	seq_printf(seq, " %s=%s", dir, libra_seg_names[state]);
	if (state == LIBRA_SEG_PASS)
		seq_printf(seq, " %s_why=%s", dir, libra_mib_names[READ_ONCE(seg->why)]);
	else if (state != LIBRA_SEG_ASK && left != U64_MAX)
		seq_printf(seq, " %s_left=%llu", dir, left);
	seq_printf(seq, " %s_payload=%llu %s_kept=%llu", dir, payload, dir, kept);
}

/**
 * libra_sock_show() - a line of /proc/net/libra_sockets
 * @seq: file
 * @ls: attachment, of a socket that the caller holds
 * @ns: whose numbers of sessions
 *
 * Context: process context.
 */
void libra_sock_show(struct seq_file *seq, struct libra_sock *ls,
		     struct pid_namespace *ns)
{
	static const char *const mode[] = {
		[LIBRA_MODE_DRY_RUN] = "dry-run",
		[LIBRA_MODE_TOKEN] = "token",
	};
	struct sock *sk = ls->sk;

	seq_puts(seq, "socket local=");
	libra_passing_address(seq, sk, false);
	seq_puts(seq, " peer=");
	libra_passing_address(seq, sk, true);
	seq_printf(seq, " inode=%lu role=%s mode=%s domain=", sock_i_ino(sk),
		   ls->role == LIBRA_ROLE_PASSIVE ? "client" : "upstream",
		   mode[READ_ONCE(ls->mode)]);
	if (ls->dom->id == LIBRA_DOMAIN_NONE)
		seq_putc(seq, '-');
	else
		seq_printf(seq, "%u", ls->dom->id);
	seq_printf(seq, " policy=%u parser=%s stranger=%d requests=%d", READ_ONCE(ls->policy),
		   ls->parser->name, READ_ONCE(ls->stranger),
		   !!(libra_sock_flags(ls) & LIBRA_F_ANCHOR_REQUESTS));
	libra_seg_show(seq, "rx", &ls->rx.seg, READ_ONCE(ls->rx.payload),
		       READ_ONCE(ls->rx.anchored));
	libra_seg_show(seq, "tx", &ls->tx.seg, READ_ONCE(ls->tx.payload),
		       READ_ONCE(ls->tx.redeemed_bytes));
	seq_printf(seq, " tls_rx=%d tls_tx=%d charge=%ld", READ_ONCE(ls->rx.tls),
		   READ_ONCE(ls->tx.tls), atomic_long_read(&ls->account.charge));
	/* What could be received here and leave by them is copied. */
	seq_printf(seq, " held_by=%d unused=%d", atomic_read(&ls->dom->egress_passes[!ls->role]),
		   atomic_read(&ls->net->passing_unused[!ls->role]));
	libra_passing_show_sock(seq, ls, ns);
	seq_putc(seq, '\n');
}

/* The attached one that is the @nth of its bucket, or a later one; with a reference. */
static struct sock *libra_sockets_find(struct seq_file *seq)
{
	struct libra_sockets_iter *iter = seq->private;
	struct net *net = seq_file_net(seq);
	struct inet_hashinfo *hash = net->ipv4.tcp_death_row.hashinfo;

	for (; iter->bucket <= hash->ehash_mask; iter->bucket++, iter->nth = 0) {
		struct hlist_nulls_head *chain = &hash->ehash[iter->bucket].chain;
		spinlock_t *lock = inet_ehash_lockp(hash, iter->bucket);
		struct sock *sk, *found = NULL;
		struct hlist_nulls_node *node;
		u32 nth = 0;

		cond_resched();
		if (hlist_nulls_empty(chain))
			continue;
		spin_lock_bh(lock);
		sk_nulls_for_each(sk, node, chain) {
			/* Not those that wait, or are not accepted yet, which are no tcp_sock. */
			if (!sk_fullsock(sk) || !net_eq(sock_net(sk), net) || !libra_sk(sk))
				continue;
			if (nth++ == iter->nth) {
				sock_hold(sk);
				found = sk;
				break;
			}
		}
		spin_unlock_bh(lock);
		if (found)
			return found;
	}
	return NULL;
}

/* The title is at 0. */
static loff_t libra_sockets_pos(const struct libra_sockets_iter *iter)
{
	return 1 + ((loff_t)iter->bucket << LIBRA_SOCKETS_NTH_BITS | iter->nth);
}

static void *libra_sockets_start(struct seq_file *seq, loff_t *pos)
{
	struct libra_sockets_iter *iter = seq->private;
	struct sock *sk;

	if (!libra_may_ask(seq))
		return ERR_PTR(-EPERM);
	if (!*pos)
		return SEQ_START_TOKEN;
	if ((*pos - 1) >> LIBRA_SOCKETS_NTH_BITS > U32_MAX - 1)
		return NULL;
	iter->bucket = (*pos - 1) >> LIBRA_SOCKETS_NTH_BITS;
	iter->nth = (*pos - 1) & (BIT(LIBRA_SOCKETS_NTH_BITS) - 1);
	sk = libra_sockets_find(seq);
	*pos = libra_sockets_pos(iter);
	return sk;
}

static void *libra_sockets_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct libra_sockets_iter *iter = seq->private;
	struct sock *sk;

	if (v == SEQ_START_TOKEN) {
		iter->bucket = 0;
		iter->nth = 0;
	} else {
		sock_put(v);
		/* What nobody has in a bucket is not shown. */
		if (++iter->nth == BIT(LIBRA_SOCKETS_NTH_BITS)) {
			iter->bucket++;
			iter->nth = 0;
		}
	}
	sk = libra_sockets_find(seq);
	*pos = libra_sockets_pos(iter);
	return sk;
}

static void libra_sockets_stop(struct seq_file *seq, void *v)
{
	if (!IS_ERR_OR_NULL(v) && v != SEQ_START_TOKEN)
		sock_put(v);
}

static int libra_sockets_show(struct seq_file *seq, void *v)
{
	struct libra_sock *ls;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "libra_sockets 1\n");
		return 0;
	}
	/* The reference keeps the socket, which keeps its attachment. */
	ls = libra_sk(v);
	if (ls)
		libra_sock_show(seq, ls, proc_pid_ns(file_inode(seq->file)->i_sb));
	return 0;
}

const struct seq_operations libra_sockets_ops = {
	.start = libra_sockets_start,
	.next = libra_sockets_next,
	.stop = libra_sockets_stop,
	.show = libra_sockets_show,
};
