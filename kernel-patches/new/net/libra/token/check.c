// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: are payloads that are copied sent on as they came?
 *
 * Tokens stand for payload that the application is believed to forward unchanged. What
 * it does with a message that it gets natively shows whether that is so: all of them with
 * LIBRA_MODE_DRY_RUN, and a sample with LIBRA_MODE_TOKEN, are hashed as they are read, and
 * so is what is sent. Framing is metadata, so a message may be sent with other chunks than
 * it came in.
 *
 * Here is what one socket's streams are followed with; checked.c compares them. Nothing
 * waits for that, and nothing is done to a connection because of it: a message that cannot
 * be followed to its end is no message that was altered.
 *
 * The bytes of an skb are hashed after they were copied. A sender on the same host that
 * changes its file in between would make two of them; that it is taken for an altered
 * message is a price of not copying them twice.
 */
#include <linux/random.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "check.h"

static struct libra_check_stream *libra_check_of(struct libra_sock *ls, enum libra_dir dir)
{
	struct libra_check *check = READ_ONCE(ls->check);

	return check ? &check->stream[dir] : NULL;
}

static const struct libra_seg *libra_check_seg(const struct libra_sock *ls,
					       enum libra_dir dir)
{
	return dir == LIBRA_INGRESS ? &ls->rx.seg : &ls->tx.seg;
}

/* Both directions may come here for the first time at once. */
static bool libra_check_alloc(struct libra_sock *ls, gfp_t gfp)
{
	struct libra_check *check;
	int dir;

	if (READ_ONCE(ls->check))
		return true;
	check = kzalloc(sizeof(*check), gfp | __GFP_NOWARN);
	if (!check)
		return false;
	for (dir = 0; dir < ARRAY_SIZE(check->stream); dir++)
		INIT_LIST_HEAD(&check->stream[dir].sending);
	if (cmpxchg(&ls->check, NULL, check))
		kfree(check);
	return true;
}

/**
 * libra_check_init() - an attachment begins
 * @ls: attachment, not visible yet
 * @flags: libra_attach.flags
 * @gfp: how to allocate
 *
 * In mode dry-run all messages are followed, so headers are kept from the beginning; for a
 * sample that begins with the first message of it.
 *
 * Return: 0 or -ENOMEM; libra_check_free() has to follow a 0.
 */
int libra_check_init(struct libra_sock *ls, u32 flags, gfp_t gfp)
{
	ls->check_rate = (flags & LIBRA_F_CHECK_MASK) >> LIBRA_F_CHECK_SHIFT;
	if (!ls->check_rate || ls->mode != LIBRA_MODE_DRY_RUN)
		return 0;
	return libra_check_alloc(ls, gfp) ? 0 : -ENOMEM;
}

/**
 * libra_check_stop() - check no further messages
 * @ls: attachment
 *
 * Context: any.
 */
void libra_check_stop(struct libra_sock *ls)
{
	WRITE_ONCE(ls->check_rate, 0);
}

/**
 * libra_check_free() - the attachment ends
 * @ls: attachment; nobody else uses it. Twice is fine.
 *
 * What was sent on it and is not complete will never be.
 *
 * Context: any, without the domain's lock.
 */
void libra_check_free(struct libra_sock *ls)
{
	if (!ls->check)
		return;
	libra_check_end(ls, LIBRA_INGRESS, false);
	libra_check_end(ls, LIBRA_EGRESS, false);
	kfree(ls->check);
	ls->check = NULL;
}

/*
 * Is the message that begins here to be followed? Short ones are not anchored; of what
 * comes without a length that is seen at its end.
 */
static bool libra_check_wants(const struct libra_sock *ls, enum libra_dir dir)
{
	const struct libra_seg *seg = libra_check_seg(ls, dir);
	u8 rate = READ_ONCE(ls->check_rate);

	if (!rate)
		return false;
	if (!seg->goes_on && seg->left < READ_ONCE(ls->net->sysctl.min_anchor))
		return false;
	if (dir == LIBRA_EGRESS)
		return libra_checks_busy(ls->dom, !ls->role);
	return READ_ONCE(ls->mode) == LIBRA_MODE_DRY_RUN ||
	       !(get_random_u32() & (BIT(rate - 1) - 1));
}

static void libra_check_begin(struct libra_sock *ls, enum libra_dir dir)
{
	struct libra_check_stream *st;
	bool wanted;

	wanted = libra_check_wants(ls, dir) && libra_check_alloc(ls, GFP_KERNEL_ACCOUNT);
	st = libra_check_of(ls, dir);
	if (!st)
		return;
	st->inside = true;
	if (!wanted)
		return;
	st->began = jiffies;
	st->tgid = task_tgid_nr(current);
	st->len = 0;
	st->ahead = 0;
	xxh64_reset(&st->hash, 0);
	st->followed = libra_checks_begin(ls, dir);
}

/**
 * libra_check_end() - a message is over, or cannot be followed
 * @ls: attachment
 * @dir: which of its streams
 * @whole: all of its payload passed
 *
 * Context: any, as for struct libra_seg; process context if @whole.
 */
void libra_check_end(struct libra_sock *ls, enum libra_dir dir, bool whole)
{
	struct libra_check_stream *st = libra_check_of(ls, dir);

	if (!st || !st->inside)
		return;
	if (whole || !st->followed)
		st->inside = false;
	if (!st->followed)
		return;
	st->followed = false;
	if (dir == LIBRA_INGRESS)
		libra_checks_received(ls, whole);
	else
		libra_checks_sent(ls, whole);
}

/**
 * __libra_check_classified() - the segmenter knows what begins at its position
 * @ls: attachment
 * @dir: which of its streams
 */
void __libra_check_classified(struct libra_sock *ls, enum libra_dir dir)
{
	const struct libra_check_stream *st = libra_check_of(ls, dir);
	const struct libra_seg *seg = libra_check_seg(ls, dir);
	bool inside = st && st->inside;

	if (seg->state == LIBRA_SEG_PAYLOAD && !inside)
		libra_check_begin(ls, dir);
	/* The last of its payload was framing only. */
	else if (seg->state == LIBRA_SEG_META && inside && !seg->goes_on && !seg->unparsed)
		libra_check_end(ls, dir, true);
}

/**
 * __libra_check_skb() - payload was copied to the application
 * @ls: attachment
 * @skb: where it lies
 * @off: at which offset
 * @len: how much
 *
 * Before libra_pass_bytes() is told of it, under the socket lock.
 */
void __libra_check_skb(struct libra_sock *ls, struct sk_buff *skb, u32 off, u32 len)
{
	struct libra_check_stream *st = libra_check_of(ls, LIBRA_INGRESS);
	struct skb_seq_state seq;
	const u8 *data;
	u32 n, at = 0;

	if (!st->followed || ls->rx.seg.state != LIBRA_SEG_PAYLOAD)
		return;
	skb_prepare_seq_read(skb, off, off + len, &seq);
	while ((n = skb_seq_read(at, &data, &seq))) {
		/* It gives all that lies together, also behind the end. */
		n = min(n, len - at);
		xxh64_update(&st->hash, data, n);
		at += n;
	}
	st->ahead = at;
}

/* What began before that is of no interest any more. */
static void libra_check_keep(struct libra_check_head *head, const u8 *data, u64 len)
{
	u32 n;

	if (head->over)
		WRITE_ONCE(head->len, 0);
	head->over = false;
	if (!data)
		return;
	n = min_t(u64, len, sizeof(head->data) - head->len);
	memcpy(head->data + head->len, data, n);
	WRITE_ONCE(head->len, head->len + n);
}

/**
 * __libra_check_passes() - bytes of a stream are about to pass its segmenter
 * @ls: attachment
 * @dir: which of its streams
 * @data: the bytes; NULL if they are not at hand
 * @len: how many
 */
void __libra_check_passes(struct libra_sock *ls, enum libra_dir dir, const u8 *data,
			  u64 len)
{
	struct libra_check_stream *st = libra_check_of(ls, dir);
	const struct libra_seg *seg = libra_check_seg(ls, dir);

	/* The size of a first chunk is no header. */
	if (seg->state == LIBRA_SEG_META && !st->inside && !seg->goes_on) {
		libra_check_keep(&st->head, data, len);
		return;
	}
	if (seg->state != LIBRA_SEG_PAYLOAD || !st->followed)
		return;
	if (st->ahead == len)
		st->len += len;
	else if (data && !st->ahead) {
		xxh64_update(&st->hash, data, len);
		st->len += len;
	} else {
		libra_check_end(ls, dir, false);
	}
	st->ahead = 0;
}

/**
 * __libra_check_passed() - and they have passed
 * @ls: attachment
 * @dir: which of its streams
 */
void __libra_check_passed(struct libra_sock *ls, enum libra_dir dir)
{
	struct libra_check_stream *st = libra_check_of(ls, dir);
	const struct libra_seg *seg = libra_check_seg(ls, dir);

	if (seg->state != LIBRA_SEG_ASK || seg->goes_on)
		return;
	if (!seg->behind_len)
		st->head.over = true;
	libra_check_end(ls, dir, true);
}

/**
 * __libra_check_eof() - all of a stream that ends with its connection may have been read
 * @ls: attachment
 *
 * Context: process context, under the socket lock.
 */
void __libra_check_eof(struct libra_sock *ls)
{
	const struct sock *sk = ls->sk;

	if (ls->rx.seg.left == U64_MAX && sk->sk_shutdown & RCV_SHUTDOWN &&
	    skb_queue_empty_lockless(&sk->sk_receive_queue))
		libra_check_end(ls, LIBRA_INGRESS, true);
}

/**
 * libra_check_shut() - nothing more is sent
 * @ls: attachment
 *
 * A message that ends with its connection is whole if its receiver could have got it.
 *
 * Context: process context, without locks.
 */
void libra_check_shut(struct libra_sock *ls)
{
	if (!READ_ONCE(ls->check) || !mutex_trylock(&ls->tx_lock))
		return;
	libra_check_end(ls, LIBRA_EGRESS, ls->tx.seg.left == U64_MAX &&
			ls->tx.seg.state == LIBRA_SEG_PAYLOAD &&
			READ_ONCE(ls->sk->sk_state) == TCP_ESTABLISHED);
	libra_tx_unlock(ls);
}

/**
 * libra_check_copies() - must what is sent be at hand?
 * @ls: attachment, under tx_lock
 */
bool libra_check_copies(const struct libra_sock *ls)
{
	const struct libra_check *check = READ_ONCE(ls->check);

	return check && check->stream[LIBRA_EGRESS].followed;
}
