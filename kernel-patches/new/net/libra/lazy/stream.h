/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra, lazy mode: what becomes of what is received, and what to do then.
 */
#ifndef _NET_LIBRA_STREAM_H
#define _NET_LIBRA_STREAM_H

#include <linux/gfp_types.h>
#include <linux/types.h>

/* Streams of a process that are told apart. */
#define LIBRA_STREAM_BITS	8

struct libra_stream;
struct libra_streams;
struct seq_file;
struct sock;

/*
 * Parts of a message: its first page, which has the header; the first buffer-full, for
 * buffers of any size; what is beyond; and, wherever, what comes into a part of a page
 * that was looked at: it may be again.
 */
enum libra_part {
	LIBRA_PART_PAGE,
	LIBRA_PART_16K,
	LIBRA_PART_32K,
	LIBRA_PART_64K,
	LIBRA_PART_256K,
	LIBRA_PART_1M,
	LIBRA_PART_REST,
	LIBRA_PART_AGAIN,
	LIBRA_PARTS
};

/**
 * struct libra_origin_of_pages - where pages that are lazy came from
 * @message: number; 0: nothing is to be learned from them
 * @stream: index
 * @origin: index
 * @part: enum libra_part
 * @tried: where copying was thought to be better
 */
struct libra_origin_of_pages {
	u32 message;
	u8 stream;
	u8 origin;
	u8 part;
	bool tried;
};

struct libra_streams *libra_streams_alloc(gfp_t gfp);
struct libra_stream *libra_stream_get(struct libra_streams *streams,
				      const struct sock *sk);
bool libra_stream_advise(struct libra_streams *streams, struct libra_stream *stream,
			 u32 seq, u32 *bytes);
bool libra_stream_advise_again(struct libra_streams *streams,
			       struct libra_stream *stream, u32 seq);
struct libra_origin_of_pages libra_stream_lazy(struct libra_streams *streams,
					       struct libra_stream *stream, u32 seq,
					       bool again, u32 pages);
bool libra_stream_is_of(const struct libra_stream *stream,
			const struct libra_origin_of_pages *from);
bool libra_stream_is_like(const struct libra_stream *stream, u32 seq,
			  const struct libra_origin_of_pages *from);
void libra_stream_looked(struct libra_streams *streams,
			 const struct libra_origin_of_pages *from);
bool libra_streams_show(struct seq_file *seq, const struct libra_streams *streams, u32 nr,
			pid_t pid);

#endif /* _NET_LIBRA_STREAM_H */
