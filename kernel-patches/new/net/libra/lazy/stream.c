// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libra, lazy mode: what becomes of what is received.
 *
 * To receive and send a page natively is two copies, 13 thousand instructions in an
 * emulated machine. Lazily it is 500, but if somebody looks at it before it is sent it is
 * 17 thousand (bench/results/pages.json). So it matters which is which, and proxies are
 * regular: they read the header of a response, or its first buffer-full, or all of it, or
 * nothing. Two things are learned:
 *
 * - Of the message under way, from the pages of it that were looked at by now. A
 *   message begins when the application has sent something since it last received:
 *   the request, on a connection to an origin. When too many of its pages were looked
 *   at, what follows is copied, and tried again after a while.
 * - Of all messages of an origin, for each part of them: the first page, what follows
 *   up to 16, 32, 64, 256 KB, 1 MB, and beyond; and for pages that hold what the
 *   application looks at beside what it does not. Each page that is received lazily counts
 *   against copying, and each that is looked at for it. Where copying pays, two pages
 *   of one message in 16, or in 64 where that is sure by now, are tried all the same,
 *   and two in each MB of a long one.
 *
 * A look at what was sent before is none: it is memory that is used again.
 *
 * All of it is advice: lazy and copied bytes are the same bytes. So nothing here locks,
 * tables are small and what collides in them is forgotten, and who races loses a count.
 */
#include <linux/hash.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "stream.h"

#define LIBRA_ORIGIN_BITS	6

/* A page that is received lazily, in a try or otherwise, and the look at one. */
#define LIBRA_SCORE_LAZY	(-1)
#define LIBRA_SCORE_TRIED	(-4)
#define LIBRA_SCORE_LOOK	2
#define LIBRA_SCORE_TRY_LOOK	6
#define LIBRA_SCORE_MAX		16
#define LIBRA_SCORE_MIN		(-64)
/*
 * Of a part of many pages of which nothing is known: one that is looked at is no habit. It
 * may be the end of a buffer, a few bytes of 48 pages.
 */
#define LIBRA_SCORE_NEW_LARGE	(-1)

/* Pages of a try. */
#define LIBRA_TRY_PAGES		2
/* One message in so many is a try, where copying pays, */
#define LIBRA_TRY_MESSAGES	16
/* or in so many of them, where it always did, */
#define LIBRA_TRY_MESSAGES_SURE	64
/* and so many bytes of a long one have a try. */
#define LIBRA_TRY_BYTES		(1U << 20)
/* How much is copied of a message that is read, before the first try. */
#define LIBRA_PAUSE_BYTES	(64U << 10)
#define LIBRA_PAUSE_STEPS	4
/* A longer message counts from its last part on again, long before positions wrap. */
#define LIBRA_STREAM_BYTES	(1U << 30)
#define LIBRA_REST_BYTES	(1U << 20)

/**
 * struct libra_origin - what messages of an origin were like
 * @score: of each part; more than 0: it is looked at
 * @messages: how many there were
 */
struct libra_origin {
	s8 score[LIBRA_PARTS];
	u8 messages;
};

/**
 * struct libra_stream - the message under way on a socket
 * @sk: which; never followed
 * @message: its number, of which no two are alike for a long time; 0: none
 * @sent: what tcp_sock.write_seq was when it began
 * @start: sequence number of its first byte
 * @resume: up to where it is copied, from @start on
 * @tried: where the last try of the last part was
 * @lazy: pages of it that were received lazily, since the last verdict
 * @touched: how many of them were looked at
 * @budget: pages of each part that may be tried yet, where copying pays
 * @origin: index
 * @pauses: how many there were
 * @port: of the socket; for who shows it
 * @peer_port: the other one's
 * @since: when it began, or paused last, in jiffies
 * @trial: it was looked at before: @lazy are a try
 */
struct libra_stream {
	const struct sock *sk;
	u32 message;
	u32 sent;
	u32 start;
	u32 resume;
	u32 tried;
	u32 lazy;
	u32 touched;
	u8 budget[LIBRA_PARTS];
	u8 origin;
	u8 pauses;
	bool trial;
	u16 port;
	u16 peer_port;
	unsigned long since;
};

struct libra_streams {
	struct libra_stream stream[1 << LIBRA_STREAM_BITS];
	struct libra_origin origin[1 << LIBRA_ORIGIN_BITS];
};

/**
 * libra_streams_alloc() - nothing is known
 * @gfp: how to allocate
 *
 * Return: memory for kfree(); NULL when there was none, and nothing will be learned.
 */
struct libra_streams *libra_streams_alloc(gfp_t gfp)
{
	struct libra_streams *streams;
	int i, part;

	gfp &= ~__GFP_NOFAIL;
	streams = kzalloc(sizeof(*streams), gfp | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!streams)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(streams->origin); i++) {
		s8 *score = streams->origin[i].score;

		for (part = LIBRA_PART_64K; part <= LIBRA_PART_REST; part++)
			score[part] = LIBRA_SCORE_NEW_LARGE;
	}
	return streams;
}

/*
 * Connections to one origin have its address and port in common, those from clients
 * our port. The lower port is the server's; where it is not, too little is learned.
 */
static u8 libra_origin_of(const struct sock *sk)
{
	u32 port = ntohs(sk->sk_dport);
	u32 key = sk->sk_num;

	if (port < sk->sk_num) {
#if IS_ENABLED(CONFIG_IPV6)
		if (sk->sk_family == AF_INET6)
			key = ipv6_addr_hash(&sk->sk_v6_daddr);
		else
#endif
			key = (__force u32)sk->sk_daddr;
		key = hash_32(key, 32) ^ port << 16;
	}
	return hash_32(key, LIBRA_ORIGIN_BITS);
}

static void libra_stream_message(struct libra_streams *streams,
				 struct libra_stream *stream, const struct sock *sk)
{
	static atomic_t messages = ATOMIC_INIT(0);
	struct libra_origin *origin;
	u8 nr, i;

	*stream = (struct libra_stream) {
		.sk = sk,
		.message = atomic_inc_return_relaxed(&messages) ? : 1,
		.sent = tcp_sk(sk)->write_seq,
		.start = tcp_sk(sk)->copied_seq,
		.origin = libra_origin_of(sk),
		.port = sk->sk_num,
		.peer_port = ntohs(sk->sk_dport),
		.since = jiffies,
	};
	origin = &streams->origin[stream->origin];
	nr = READ_ONCE(origin->messages) + 1;
	WRITE_ONCE(origin->messages, nr);
	for (i = 0; i < LIBRA_PARTS; i++) {
		bool sure = READ_ONCE(origin->score[i]) == LIBRA_SCORE_MAX;

		if (nr % (sure ? LIBRA_TRY_MESSAGES_SURE : LIBRA_TRY_MESSAGES) == 0)
			stream->budget[i] = LIBRA_TRY_PAGES;
	}
}

/* What was received since the last verdict is looked at: copy for a while. */
static void libra_stream_pause(struct libra_stream *stream, u32 pos)
{
	u8 pauses = min_t(u8, READ_ONCE(stream->pauses), LIBRA_PAUSE_STEPS);

	stream->resume = pos + (LIBRA_PAUSE_BYTES << pauses);
	stream->pauses = pauses + 1;
	stream->since = jiffies;
	stream->lazy = 0;
	stream->touched = 0;
	stream->trial = true;
}

/**
 * libra_stream_get() - a recv() begins
 * @streams: of the process, or NULL
 * @sk: socket
 *
 * Context: under the socket lock.
 * Return: what is known of it, as long as no other socket that collides with it is
 * read from: then it is theirs. NULL: nothing is learned.
 */
struct libra_stream *libra_stream_get(struct libra_streams *streams, const struct sock *sk)
{
	struct libra_stream *stream;
	u32 pos;

	if (!streams)
		return NULL;
	stream = &streams->stream[hash_ptr((void *)sk, LIBRA_STREAM_BITS)];
	if (stream->sk != sk || stream->sent != tcp_sk(sk)->write_seq) {
		libra_stream_message(streams, stream, sk);
		return stream;
	}
	pos = tcp_sk(sk)->copied_seq - stream->start;
	if (pos > LIBRA_STREAM_BYTES) {
		stream->start += pos - LIBRA_REST_BYTES;
		stream->resume = 0;
		stream->tried = 0;
		pos = LIBRA_REST_BYTES;
	}
	/* The application had the time to look. */
	if (stream->trial && stream->lazy) {
		if (READ_ONCE(stream->touched)) {
			libra_stream_pause(stream, pos);
		} else {
			stream->trial = false;
			stream->lazy = 0;
		}
	}
	return stream;
}

/* Where parts end; the last one does not. */
static const u32 libra_part_end[LIBRA_PART_REST] = {
	PAGE_SIZE, 16 << 10, 32 << 10, 64 << 10, 256 << 10, LIBRA_REST_BYTES
};

static enum libra_part libra_part_of(u32 pos)
{
	enum libra_part part = LIBRA_PART_PAGE;

	while (part < LIBRA_PART_REST && pos >= libra_part_end[part])
		part++;
	return part;
}

/* How many of @bytes, whole pages, are of the part? At least a page. */
static u32 libra_part_rest(enum libra_part part, u32 pos, u32 bytes)
{
	if (part == LIBRA_PART_REST)
		return bytes;
	return min(bytes, round_up(libra_part_end[part] - pos, PAGE_SIZE));
}

/**
 * libra_stream_advise() - are the next bytes likely to be looked at?
 * @streams: of the process
 * @stream: from libra_stream_get()
 * @seq: sequence number of the first
 * @bytes: how many there are, whole pages; at return, for how many it is said, never 0
 *
 * Context: under the socket lock.
 * Return: true: receive them lazily.
 */
bool libra_stream_advise(struct libra_streams *streams, struct libra_stream *stream,
			 u32 seq, u32 *bytes)
{
	u32 pos = seq - stream->start, touched = READ_ONCE(stream->touched);
	u32 resume = READ_ONCE(stream->resume);
	enum libra_part part = libra_part_of(pos);
	u32 pages;
	s8 score;

	/* What was never the pause of this message is another one's, see libra_stream_get(). */
	if (pos < resume && resume - pos <= LIBRA_PAUSE_BYTES << LIBRA_PAUSE_STEPS) {
		*bytes = min(*bytes, round_up(resume - pos, PAGE_SIZE));
		return false;
	}
	if (touched >= LIBRA_TRY_PAGES && touched * LIBRA_SCORE_LOOK >= stream->lazy) {
		libra_stream_pause(stream, pos);
		return false;
	}
	*bytes = libra_part_rest(part, pos, *bytes);
	score = READ_ONCE(streams->origin[stream->origin].score[part]);
	if (score <= 0 && !stream->trial)
		return true;

	if (part == LIBRA_PART_REST && pos - stream->tried >= LIBRA_TRY_BYTES) {
		stream->tried = pos;
		stream->budget[part] = LIBRA_TRY_PAGES;
	}
	pages = score > 0 ? READ_ONCE(stream->budget[part]) : LIBRA_TRY_PAGES;
	if (stream->trial)
		pages = min(pages, LIBRA_TRY_PAGES - min(READ_ONCE(stream->lazy),
							 LIBRA_TRY_PAGES));
	if (!pages)
		return false;
	*bytes = min(*bytes, pages << PAGE_SHIFT);
	return true;
}

/**
 * libra_stream_advise_again() - may it be received lazily into a part of a page that
 *	somebody looked at?
 * @streams: of the process
 * @stream: from libra_stream_get()
 * @seq: sequence number of the first byte
 *
 * Context: under the socket lock.
 */
bool libra_stream_advise_again(struct libra_streams *streams,
			       struct libra_stream *stream, u32 seq)
{
	u32 bytes = PAGE_SIZE;

	if (READ_ONCE(streams->origin[stream->origin].score[LIBRA_PART_AGAIN]) > 0 &&
	    !stream->budget[LIBRA_PART_AGAIN])
		return false;
	return libra_stream_advise(streams, stream, seq, &bytes);
}

static void libra_origin_score(struct libra_streams *streams, u8 nr, u8 part, int by)
{
	s8 *score = &streams->origin[nr].score[part];

	WRITE_ONCE(*score, clamp(READ_ONCE(*score) + by, LIBRA_SCORE_MIN,
				 LIBRA_SCORE_MAX));
}

/**
 * libra_stream_lazy() - pages of a message were received lazily
 * @streams: of the process
 * @stream: from libra_stream_get()
 * @seq: sequence number of the first byte
 * @again: see libra_stream_advise_again()
 * @pages: how many; 0: none yet, but what are they called?
 *
 * Context: under the socket lock.
 * Return: what to call them when they are looked at.
 */
struct libra_origin_of_pages libra_stream_lazy(struct libra_streams *streams,
					       struct libra_stream *stream, u32 seq,
					       bool again, u32 pages)
{
	enum libra_part part = again ? LIBRA_PART_AGAIN :
				       libra_part_of(seq - stream->start);
	u8 budget = READ_ONCE(stream->budget[part]);
	bool tried;

	tried = READ_ONCE(streams->origin[stream->origin].score[part]) > 0;
	/* Such tries are about the origin, not about this message. */
	if (!tried)
		stream->lazy += pages;
	stream->budget[part] = budget - min_t(u32, budget, pages);
	libra_origin_score(streams, stream->origin, part,
			   (int)pages * (tried ? LIBRA_SCORE_TRIED : LIBRA_SCORE_LAZY));
	return (struct libra_origin_of_pages) {
		.message = stream->message,
		.stream = stream - streams->stream,
		.origin = stream->origin,
		.part = part,
		.tried = tried,
	};
}

/**
 * libra_stream_is_of() - are these pages of the message under way?
 * @stream: from libra_stream_get()
 * @from: what libra_stream_lazy() said
 *
 * Context: under the socket lock.
 */
bool libra_stream_is_of(const struct libra_stream *stream,
			const struct libra_origin_of_pages *from)
{
	return stream->message == from->message;
}

/**
 * libra_stream_is_like() - may what follows be called what these pages are called?
 * @stream: from libra_stream_get()
 * @seq: sequence number of the first byte that follows
 * @from: what libra_stream_lazy() said
 *
 * Context: under the socket lock.
 */
bool libra_stream_is_like(const struct libra_stream *stream, u32 seq,
			  const struct libra_origin_of_pages *from)
{
	return !from->tried && libra_stream_is_of(stream, from) &&
	       libra_part_of(seq - stream->start) == from->part;
}

/**
 * libra_stream_looked() - somebody looked at one of them, before it was sent
 * @streams: of who looked, or NULL; a child learns for itself
 * @from: what libra_stream_lazy() said
 *
 * Context: any.
 */
void libra_stream_looked(struct libra_streams *streams,
			 const struct libra_origin_of_pages *from)
{
	struct libra_stream *stream;

	if (!streams || !from->message)
		return;
	stream = &streams->stream[from->stream];
	if (READ_ONCE(stream->message) == from->message && !from->tried)
		WRITE_ONCE(stream->touched, READ_ONCE(stream->touched) + 1);
	libra_origin_score(streams, from->origin, from->part,
			   from->tried ? LIBRA_SCORE_TRY_LOOK : LIBRA_SCORE_LOOK);
}

/**
 * libra_streams_show() - show what is known of one connection
 * @seq: file
 * @streams: of a process that stays meanwhile, or NULL
 * @nr: index
 * @pid: the process's number
 *
 * Who receives goes on meanwhile: what is shown may be of two messages, or of two sockets.
 *
 * Context: any.
 * Return: false if nothing was ever received there.
 */
bool libra_streams_show(struct seq_file *seq, const struct libra_streams *streams, u32 nr,
			pid_t pid)
{
	const struct libra_origin *origin;
	const struct libra_stream *stream;
	u8 i;

	if (!streams || !READ_ONCE(streams->stream[nr].message))
		return false;
	stream = &streams->stream[nr];
	origin = &streams->origin[READ_ONCE(stream->origin)];
	seq_printf(seq, "stream pid=%d port=%u peer_port=%u lazy=%u touched=%u pauses=%u",
		   pid, READ_ONCE(stream->port), READ_ONCE(stream->peer_port),
		   READ_ONCE(stream->lazy), READ_ONCE(stream->touched),
		   READ_ONCE(stream->pauses));
	seq_printf(seq, " copied_until=%u trial=%d seconds=%lu origin=%u scores=",
		   READ_ONCE(stream->resume), READ_ONCE(stream->trial),
		   (jiffies - READ_ONCE(stream->since)) / HZ, READ_ONCE(stream->origin));
	for (i = 0; i < LIBRA_PARTS; i++)
		seq_printf(seq, i ? ",%d" : "%d", READ_ONCE(origin->score[i]));
	seq_putc(seq, '\n');
	return true;
}
