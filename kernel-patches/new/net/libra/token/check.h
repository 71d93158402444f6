/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libra: are payloads that are copied sent on as they came? See check.c.
 */
#ifndef _NET_LIBRA_CHECK_H
#define _NET_LIBRA_CHECK_H

#include <linux/in6.h>
#include <linux/types.h>
#include <linux/xxhash.h>

#include "token.h"

struct seq_file;

/* Messages of a domain that wait; what comes beyond is not checked. */
#define LIBRA_CHECKS_OPEN	4096

/* So much of a header is kept, for who wants to know what was altered. */
#define LIBRA_CHECK_HEAD	256

/**
 * struct libra_check_head - how the last header of a stream begins
 * @len: bytes in @data
 * @over: the next byte of metadata begins another header
 * @data: the bytes
 */
struct libra_check_head {
	u16 len;
	bool over;
	u8 data[LIBRA_CHECK_HEAD];
};

/**
 * struct libra_check_stream - one direction of a socket
 * @followed: a message is inside, and checked; goes when bytes pass that are not at hand
 * @len: payload of the message so far
 * @hash: of it
 * @began: jiffies of its first byte
 * @tgid: the process that used the socket then
 * @sending: in libra_checks.sending, while a message that goes out is followed
 * @head: of the last header
 *
 * As for struct libra_seg, but for @sending: libra_checks.lock.
 */
struct libra_check_stream {
	bool followed;
	u64 len;
	struct xxh64_state hash;
	unsigned long began;
	pid_t tgid;
	struct list_head sending;
	struct libra_check_head head;
};

/**
 * struct libra_check - the checked streams of a socket, by direction
 * @stream: by enum libra_dir
 */
struct libra_check {
	struct libra_check_stream stream[2];
};

/**
 * struct libra_checked - a message that came, and has to leave as it is
 * @hash: in libra_checks.by_digest
 * @node: in libra_checks.open, later in libra_net.altered
 * @digest: of its payload
 * @len: bytes of it
 * @began: jiffies of its first byte
 * @ended: and of its last one
 * @tgid: who read it
 * @role: which side it came from
 * @family: of the addresses
 * @policy: of the connection that it came by
 * @domain: that connection's
 * @peer_port: host order
 * @own_port: host order
 * @peer: its address, AF_INET's in the last four bytes
 * @own: likewise
 * @asked: how what was sent on that connection began: an upstream's request
 * @head: how the message began
 */
struct libra_checked {
	struct hlist_node hash;
	struct list_head node;
	u64 digest;
	u64 len;
	unsigned long began;
	unsigned long ended;
	pid_t tgid;
	u8 role;
	u16 family;
	u32 policy;
	u32 domain;
	u16 peer_port;
	u16 own_port;
	struct in6_addr peer;
	struct in6_addr own;
	struct libra_check_head asked;
	struct libra_check_head head;
};

/* How a message that was followed ended. */
enum libra_check_how {
	LIBRA_CHECK_WHOLE,	/* all of it passed, and was seen */
	LIBRA_CHECK_CLOSED,	/* likewise, as far as one can know: it ended with its connection */
	LIBRA_CHECK_PART,	/* its connection ended before */
	LIBRA_CHECK_UNSEEN,	/* bytes passed that were not at hand */
	LIBRA_CHECK_ANCHORED,	/* it is sent from an anchor: none that was copied */
};

/* check.c: the streams of one socket */
void libra_check_init(struct libra_sock *ls, u32 flags);
void libra_check_stop(struct libra_sock *ls);
void libra_check_free(struct libra_sock *ls);
void __libra_check_classified(struct libra_sock *ls, enum libra_dir dir);
void __libra_check_passes(struct libra_sock *ls, enum libra_dir dir, const u8 *data,
			  u64 len);
void __libra_check_passed(struct libra_sock *ls, enum libra_dir dir);
void libra_check_lose(struct libra_sock *ls, enum libra_dir dir);
void __libra_check_eof(struct libra_sock *ls);
void libra_check_shut(struct libra_sock *ls);

/* checked.c: the messages of a domain */
extern unsigned long libra_checks_grace;
extern u32 libra_checks_looks;
bool libra_checks_busy(const struct libra_domain *dom, enum libra_role role);
bool libra_checks_begin(struct libra_sock *ls, enum libra_dir dir);
void libra_checks_received(struct libra_sock *ls, enum libra_check_how how);
void libra_checks_sent(struct libra_sock *ls, enum libra_check_how how);
void libra_checks_missed(struct libra_domain *dom);
bool libra_checks_open(struct libra_net *ln);
void libra_checks_judge(struct libra_domain *dom, unsigned long ttl);
u64 libra_checks_seed(const struct libra_domain *dom);
void libra_checks_free(struct libra_domain *dom);
void libra_altered_free(struct libra_net *ln);
int libra_altered_show(struct seq_file *seq, void *v);

/* What begins at the position has been classified. */
static inline void libra_check_classified(struct libra_sock *ls, enum libra_dir dir)
{
	if (unlikely(READ_ONCE(ls->check_rate)))
		__libra_check_classified(ls, dir);
}

/**
 * libra_pass_bytes() - libra_seg_consume(), of a stream that may be checked
 * @ls: attachment
 * @dir: which of its streams
 * @data: the bytes that passed; NULL if they are not at hand
 * @len: how many
 */
static inline void libra_pass_bytes(struct libra_sock *ls, enum libra_dir dir,
				    const u8 *data, u64 len)
{
	bool checked = unlikely(READ_ONCE(ls->check_rate));

	if (checked)
		__libra_check_passes(ls, dir, data, len);
	libra_seg_consume(libra_seg(ls, dir), data, len);
	if (checked)
		__libra_check_passed(ls, dir);
}

/* Is the message that passes checked, so that it has to be at hand? As for struct libra_seg. */
static inline bool libra_check_follows(const struct libra_sock *ls, enum libra_dir dir)
{
	const struct libra_check *check = READ_ONCE(ls->check);

	return check && check->stream[dir].followed;
}

/* Nothing more may come. Under the socket lock. */
static inline void libra_check_eof(struct libra_sock *ls)
{
	if (unlikely(READ_ONCE(ls->check)))
		__libra_check_eof(ls);
}

#endif /* _NET_LIBRA_CHECK_H */
