// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra: cutting a byte stream into segments of metadata and payload.
 *
 * The caller shows bytes in stream order (libra_seg_classify()) and says how
 * many of them passed (libra_seg_consume()); a partly accepted send() shows the
 * rest again. A header whose end is not at hand passes as metadata all the
 * same, because recv() and send() must not wait for it; it is kept aside so
 * that the parser sees it whole when more arrives.
 */
#include <linux/slab.h>

#include "../trace.h"
#include "check.h"
#include "token.h"

/* How much of a long buffer to put behind kept bytes at a time. */
#define LIBRA_SEG_STEP	4096

/* The least that is kept aside of a header. */
#define LIBRA_SEG_BEHIND_MIN	512

/* Segments may lie in bytes that passed already; more than that is a loop. */
#define LIBRA_SEG_ROUNDS	32

/**
 * libra_seg_pass() - stop looking at one direction, for good
 * @ls: socket
 * @dir: direction
 * @why: LIBRA_MIB_FB_*
 *
 * Context: as for struct libra_seg.
 */
void libra_seg_pass(struct libra_sock *ls, enum libra_dir dir,
		    enum libra_mib why)
{
	enum libra_reason reason = LIBRA_REASON_UNSAID;
	struct libra_seg *seg = libra_seg(ls, dir);

	if (seg->state == LIBRA_SEG_PASS)
		return;
	if (why == LIBRA_MIB_FB_PARSER)
		reason = seg->reason;
	libra_check_lose(ls, dir);
	libra_seg_free(seg);
	WRITE_ONCE(seg->why, why);
	/* Pairs with libra_seg_show(): who sees that it passes sees why. */
	smp_store_release(&seg->state, LIBRA_SEG_PASS);
	seg->left = U64_MAX;
	seg->goes_on = false;
	if (dir == LIBRA_EGRESS)
		libra_passing_begin(ls, why, reason);
	LIBRA_INC(ls->net, why);
	trace_libra_fallback(ls->sk, dir, libra_mib_names[why],
			     libra_reason_names[reason]);
}

/**
 * libra_seg_free() - forget what was kept
 * @seg: segmenter
 *
 * Context: process context, may sleep.
 */
void libra_seg_free(struct libra_seg *seg)
{
	kvfree(seg->behind);
	seg->behind = NULL;
	seg->behind_len = 0;
	seg->behind_size = 0;
	seg->unparsed = false;
}

/* A kept header begins with this when nobody reads it any more. */
struct libra_behind {
	struct rcu_head rcu;
};

/**
 * libra_seg_free_later() - libra_seg_free() where vfree() cannot be called
 * @seg: segmenter of a socket that dies
 *
 * Context: any.
 */
void libra_seg_free_later(struct libra_seg *seg)
{
	struct libra_behind *behind = (struct libra_behind *)seg->behind;

	BUILD_BUG_ON(sizeof(*behind) > LIBRA_SEG_BEHIND_MIN);
	seg->behind = NULL;
	libra_seg_free(seg);
	if (behind)
		kvfree_rcu(behind, rcu);
}

static bool libra_seg_reserve(struct libra_seg *seg, u32 size)
{
	u8 *bigger;

	if (size <= seg->behind_size)
		return true;
	size = roundup_pow_of_two(max_t(u32, size, LIBRA_SEG_BEHIND_MIN));
	bigger = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!bigger)
		return false;
	if (seg->behind_len)
		memcpy(bigger, seg->behind, seg->behind_len);
	kvfree(seg->behind);
	seg->behind = bigger;
	seg->behind_size = size;
	return true;
}

/*
 * May it be asked? Not when another one, which keeps something else in there, left
 * something in the scratch memory; see libra_parser_replace(). Under parse_lock.
 */
static bool libra_seg_may_ask(struct libra_call *call,
			      const struct libra_parser_ops *ops)
{
	if (call->asked)
		return call->keeps == ops->keeps;
	call->asked = true;
	call->keeps = ops->keeps;
	return true;
}

/*
 * Ask the parser about @len bytes at @data. Checks the answer's form, not yet
 * whether it fits the bytes.
 */
static int libra_seg_ask(struct libra_sock *ls, enum libra_dir dir,
			 const u8 *data, u32 len, u64 *seg_len)
{
	const struct libra_parser_ops *ops;
	struct libra_call *call = &ls->call;
	int verdict = LIBRA_PASS;
	bool gone = true;
	u32 reason = 0;

	/* RCU: libra_parser_unregister() clears ops and waits for us. */
	rcu_read_lock();
	ops = rcu_dereference(ls->parser->ops);
	if (ops) {
		spin_lock_bh(&ls->parse_lock);
		gone = !libra_seg_may_ask(call, ops);
		if (!gone) {
			call->ctx.dir = dir;
			call->ctx.avail = len;
			call->ctx.seg_len = 0;
			call->ctx.reason = LIBRA_REASON_UNSAID;
			call->data = data;
			call->active = true;
			verdict = ops->segment(&call->ctx);
			call->active = false;
			call->data = NULL;
			*seg_len = call->ctx.seg_len;
			reason = call->ctx.reason;
		}
		spin_unlock_bh(&ls->parse_lock);
	}
	rcu_read_unlock();

	if (gone) {
		libra_seg_pass(ls, dir, LIBRA_MIB_FB_PARSER_GONE);
		return LIBRA_PASS;
	}
	libra_seg(ls, dir)->reason = reason < LIBRA_REASON_MAX ? reason :
							 LIBRA_REASON_UNSAID;
	LIBRA_INC(ls->net, LIBRA_MIB_PARSER_CALLS);
	return verdict;
}

static void libra_seg_bad_answer(struct libra_sock *ls, enum libra_dir dir)
{
	LIBRA_INC(ls->net, LIBRA_MIB_PARSER_BAD);
	libra_seg_pass(ls, dir, LIBRA_MIB_FB_PARSER_BAD);
}

/*
 * What clients send is copied unless the attachment asks for more: a proxy may
 * send it a second time, to another upstream, and its upstreams need not be
 * attached. No parser can have it otherwise; none can write ctx.flags. On egress
 * payload stays payload, for there may be VPIs in it.
 */
static enum libra_seg_state libra_seg_payload(const struct libra_sock *ls,
					      enum libra_dir dir)
{
	if (dir == LIBRA_INGRESS && ls->role == LIBRA_ROLE_PASSIVE &&
	    !(libra_sock_flags(ls) & LIBRA_F_ANCHOR_REQUESTS))
		return LIBRA_SEG_META;
	return LIBRA_SEG_PAYLOAD;
}

/* What the parser said about kept + new bytes; true when it must be asked again. */
static bool libra_seg_answer(struct libra_sock *ls, enum libra_dir dir,
			     int verdict, u64 n, u32 view, u32 len)
{
	u32 limit = READ_ONCE(ls->net->sysctl.max_header);
	struct libra_seg *seg = libra_seg(ls, dir);

	switch (verdict) {
	case LIBRA_META:
	case LIBRA_FRAMING:
	case LIBRA_PAYLOAD:
	case LIBRA_PAYLOAD_PART:
		if (!n || n > S64_MAX)
			break;
		seg->goes_on = verdict == LIBRA_FRAMING ||
			       verdict == LIBRA_PAYLOAD_PART;
		if (n < seg->behind_len) {
			/* All of it passed already: go on behind it. */
			seg->behind_len -= n;
			memmove(seg->behind, seg->behind + n, seg->behind_len);
			return true;
		}
		seg->left = n - seg->behind_len;
		libra_seg_free(seg);
		/*
		 * left may be 0: the segment ended exactly with the kept bytes,
		 * and the new ones are to be asked about.
		 */
		if (!seg->left)
			return true;
		WRITE_ONCE(seg->state, verdict == LIBRA_META ||
				       verdict == LIBRA_FRAMING ?
				       LIBRA_SEG_META : libra_seg_payload(ls, dir));
		return false;
	case LIBRA_PAYLOAD_UNTIL_CLOSE:
		libra_seg_free(seg);
		seg->goes_on = true;
		seg->left = U64_MAX;
		WRITE_ONCE(seg->state, libra_seg_payload(ls, dir));
		return false;
	case LIBRA_NEED_MORE:
		if (n <= view)
			break;
		if (view >= limit || n > limit) {
			libra_seg_pass(ls, dir, LIBRA_MIB_FB_HEADER);
			return false;
		}
		seg->need = n;
		if (view < seg->behind_len + len)
			return true;	/* there is more at hand than was shown */
		/* Room for libra_seg_consume(), which cannot fail. */
		if (!libra_seg_reserve(seg, view)) {
			libra_seg_pass(ls, dir, LIBRA_MIB_FB_NOMEM);
			return false;
		}
		seg->left = len;
		seg->unparsed = true;
		WRITE_ONCE(seg->state, LIBRA_SEG_META);
		return false;
	case LIBRA_RESYNC:
		libra_seg_free(seg);
		seg->goes_on = false;
		seg->left = len;
		WRITE_ONCE(seg->state, LIBRA_SEG_META);
		return false;
	case LIBRA_PASS_BOTH:
		/* What is encrypted below needs no requests to be understood. */
		if (!libra_tls_encrypts(ls))
			libra_passing_begin(ls, LIBRA_MIB_FB_PARSER, seg->reason);
		fallthrough;
	case LIBRA_PASS:
		libra_seg_pass(ls, dir, LIBRA_MIB_FB_PARSER);
		return false;
	}
	libra_seg_bad_answer(ls, dir);
	return false;
}

static void libra_seg_find(struct libra_sock *ls, enum libra_dir dir, const u8 *data,
			   u32 len)
{
	u32 limit = READ_ONCE(ls->net->sysctl.max_header);
	struct libra_seg *seg = libra_seg(ls, dir);
	u32 step = LIBRA_SEG_STEP;
	int rounds;

	seg->need = 0;
	for (rounds = 0; rounds < LIBRA_SEG_ROUNDS; rounds++) {
		const u8 *view = data;
		u32 take = min(len, limit);
		int verdict;
		u64 n;

		if (seg->behind_len) {
			/* Kept bytes: show them and, piecemeal, the new ones. */
			if (seg->need > seg->behind_len)
				step = max(step, seg->need - seg->behind_len);
			take = min(take, step);
			step *= 2;
			if (!libra_seg_reserve(seg, seg->behind_len + take)) {
				libra_seg_pass(ls, dir, LIBRA_MIB_FB_NOMEM);
				return;
			}
			memcpy(seg->behind + seg->behind_len, data, take);
			view = seg->behind;
		}

		verdict = libra_seg_ask(ls, dir, view, seg->behind_len + take,
					&n);
		if (seg->state == LIBRA_SEG_PASS ||
		    !libra_seg_answer(ls, dir, verdict, n,
				      seg->behind_len + take, len))
			return;
	}
	libra_seg_bad_answer(ls, dir);
}

/**
 * libra_seg_classify() - what is it that begins at the current position?
 * @ls: socket
 * @dir: direction; its segmenter is in LIBRA_SEG_ASK
 * @data: the bytes at the current position, kernel memory
 * @len: how many, at least one
 *
 * Leaves the segmenter in any state but LIBRA_SEG_ASK. Whatever goes wrong ends
 * in LIBRA_SEG_PASS.
 *
 * Context: process context, as for struct libra_seg; may sleep to allocate.
 */
void libra_seg_classify(struct libra_sock *ls, enum libra_dir dir,
			const u8 *data, u32 len)
{
	libra_seg_find(ls, dir, data, len);
	libra_check_classified(ls, dir);
}

/**
 * libra_seg_consume() - bytes passed
 * @seg: segmenter, not in LIBRA_SEG_ASK
 * @data: the bytes; only read while a header is incomplete, NULL if they were
 *	not looked at
 * @len: how many, at most @seg->left
 */
void libra_seg_consume(struct libra_seg *seg, const u8 *data, u64 len)
{
	if (seg->state == LIBRA_SEG_PASS || !len)
		return;
	if (seg->unparsed) {
		/* libra_seg_answer() made room for all of @left. */
		memcpy(seg->behind + seg->behind_len, data, len);
		seg->behind_len += len;
	}
	if (seg->left == U64_MAX)
		return;
	seg->left -= len;
	if (!seg->left) {
		seg->unparsed = false;
		WRITE_ONCE(seg->state, LIBRA_SEG_ASK);
	}
}
