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
 * What is hashed is what the application gets: of bytes that their sender, on the same host,
 * may still change, both are one copy (libra_rx_piece()).
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

/* Both directions may come here for the first time at once. */
static bool libra_check_alloc(struct libra_sock *ls)
{
	struct libra_check *check;
	int dir;

	if (READ_ONCE(ls->check))
		return true;
	check = kzalloc(sizeof(*check), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
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
 */
void libra_check_init(struct libra_sock *ls, u32 flags)
{
	ls->check_rate = (flags & LIBRA_F_CHECK_MASK) >> LIBRA_F_CHECK_SHIFT;
}

/**
 * libra_check_stop() - check no further messages
 * @ls: attachment
 *
 * What is followed is not followed to its end.
 *
 * Context: any.
 */
void libra_check_stop(struct libra_sock *ls)
{
	WRITE_ONCE(ls->check_rate, 0);
}

/* As for struct libra_seg; process context if @how is LIBRA_CHECK_WHOLE, or _CLOSED. */
static void libra_check_end(struct libra_sock *ls, enum libra_dir dir,
			    enum libra_check_how how)
{
	struct libra_check_stream *st = libra_check_of(ls, dir);

	if (!st || !st->followed)
		return;
	st->followed = false;
	/* After libra_check_stop() bytes may have passed. */
	if (!READ_ONCE(ls->check_rate) && how <= LIBRA_CHECK_CLOSED)
		how = LIBRA_CHECK_UNSEEN;
	if (dir == LIBRA_INGRESS)
		libra_checks_received(ls, how);
	else
		libra_checks_sent(ls, how);
}

/**
 * libra_check_lose() - bytes of a stream pass in a way in which they are not seen
 * @ls: attachment
 * @dir: which of its streams
 *
 * Context: any, as for struct libra_seg.
 */
void libra_check_lose(struct libra_sock *ls, enum libra_dir dir)
{
	libra_check_end(ls, dir, LIBRA_CHECK_UNSEEN);
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
	libra_check_end(ls, LIBRA_INGRESS, LIBRA_CHECK_PART);
	libra_check_end(ls, LIBRA_EGRESS, LIBRA_CHECK_PART);
	kfree(ls->check);
	ls->check = NULL;
}

/*
 * Is the message that begins here to be followed? Short ones are not anchored; of what
 * comes without a length that is seen at its end. A sample is to hold nobody up for long.
 */
static bool libra_check_wants(struct libra_sock *ls, enum libra_dir dir)
{
	const struct libra_seg *seg = libra_seg(ls, dir);
	bool all = READ_ONCE(ls->mode) == LIBRA_MODE_DRY_RUN;
	u8 rate = READ_ONCE(ls->check_rate);

	/* libra_check_stop() may have been called since somebody looked. */
	if (!rate)
		return false;
	if (!seg->goes_on && seg->left < READ_ONCE(ls->net->sysctl.min_anchor))
		return false;
	if (!all && seg->left == U64_MAX)
		return false;
	if (dir == LIBRA_EGRESS)
		return libra_checks_busy(ls->dom, !ls->role);
	return all || !(get_random_u32() & (BIT(rate - 1) - 1));
}

static void libra_check_begin(struct libra_sock *ls, enum libra_dir dir)
{
	struct libra_check_stream *st;

	ls->check_inside[dir] = true;
	if (dir == LIBRA_INGRESS)
		ls->check_len = 0;
	if (!libra_check_wants(ls, dir) || !libra_check_alloc(ls))
		return;
	st = libra_check_of(ls, dir);
	st->began = jiffies;
	st->tgid = task_tgid_nr(current);
	st->len = 0;
	st->followed = libra_checks_begin(ls, dir);
	if (st->followed)
		xxh64_reset(&st->hash, libra_checks_seed(ls->dom));
}

/*
 * What was copied and not followed may be taken for something else when it leaves. Where
 * there is an anchor of it, it is not.
 */
static void libra_check_inside_ends(struct libra_sock *ls, enum libra_dir dir)
{
	const struct libra_check_stream *st = libra_check_of(ls, dir);

	if (!ls->check_inside[dir])
		return;
	ls->check_inside[dir] = false;
	if (st && st->followed)
		libra_check_end(ls, dir, LIBRA_CHECK_WHOLE);
	else if (dir == LIBRA_INGRESS && !ls->rx.msg &&
		 ls->check_len >= READ_ONCE(ls->net->sysctl.min_anchor))
		libra_checks_missed(ls->dom);
}

/**
 * __libra_check_classified() - the segmenter knows what begins at its position
 * @ls: attachment
 * @dir: which of its streams
 *
 * Context: process context, as for struct libra_seg.
 */
void __libra_check_classified(struct libra_sock *ls, enum libra_dir dir)
{
	const struct libra_seg *seg = libra_seg(ls, dir);

	/* Headers are kept from the first one on, where each message is followed. */
	if (READ_ONCE(ls->mode) == LIBRA_MODE_DRY_RUN)
		libra_check_alloc(ls);
	if (seg->state == LIBRA_SEG_PAYLOAD && !ls->check_inside[dir])
		libra_check_begin(ls, dir);
	/* The last of its payload was framing only. */
	else if (seg->state == LIBRA_SEG_META && !seg->goes_on && !seg->unparsed)
		libra_check_inside_ends(ls, dir);
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

static void libra_check_payload(struct libra_sock *ls, enum libra_dir dir, const u8 *data,
				u64 len)
{
	struct libra_check_stream *st = libra_check_of(ls, dir);

	if (dir == LIBRA_INGRESS)
		ls->check_len += len;
	if (!st || !st->followed)
		return;
	if (!data) {
		libra_check_end(ls, dir, dir == LIBRA_EGRESS && ls->tx.redeemed ?
					 LIBRA_CHECK_ANCHORED : LIBRA_CHECK_UNSEEN);
		return;
	}
	xxh64_update(&st->hash, data, len);
	st->len += len;
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
	const struct libra_seg *seg = libra_seg(ls, dir);

	if (seg->state == LIBRA_SEG_PAYLOAD)
		libra_check_payload(ls, dir, data, len);
	/* The size of a chunk, and what follows the last one, is no header. */
	else if (st && seg->state == LIBRA_SEG_META && !ls->check_inside[dir] && !seg->goes_on)
		libra_check_keep(&st->head, data, len);
}

/**
 * __libra_check_passed() - and they have passed
 * @ls: attachment
 * @dir: which of its streams
 */
void __libra_check_passed(struct libra_sock *ls, enum libra_dir dir)
{
	struct libra_check_stream *st = libra_check_of(ls, dir);
	const struct libra_seg *seg = libra_seg(ls, dir);

	if (seg->state != LIBRA_SEG_ASK || seg->goes_on)
		return;
	if (st && !seg->behind_len)
		st->head.over = true;
	libra_check_inside_ends(ls, dir);
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
		libra_check_end(ls, LIBRA_INGRESS, LIBRA_CHECK_CLOSED);
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
	bool closed;

	if (!READ_ONCE(ls->check) || !mutex_trylock(&ls->tx_lock))
		return;
	closed = ls->tx.seg.left == U64_MAX && ls->tx.seg.state == LIBRA_SEG_PAYLOAD &&
		 READ_ONCE(ls->sk->sk_state) == TCP_ESTABLISHED;
	libra_check_end(ls, LIBRA_EGRESS, closed ? LIBRA_CHECK_CLOSED : LIBRA_CHECK_PART);
	libra_tx_unlock(ls);
}
