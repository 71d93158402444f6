// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where kernel TLS is not as TCP, natively: these bodies have nothing to say about it, and
 * are not run. What differs in a detail is in the body.
 */
#include <linux/const.h>

#include "relay.h"

#define DOWN	_BITUL(RELAY_TLS_DOWN)
#define UP_1_2	_BITUL(RELAY_TLS_UP_1_2)
#define UP	(_BITUL(RELAY_TLS_UP) | UP_1_2)

#define REFUSED		"EOPNOTSUPP, for any flag that TLS does not know"
#define NOT_YET		"not in TCP's queue, and lost by a close()"
#define NO_OPTION	"no MSG_TRUNC, no SO_PEEK_OFF"
#define INTO_PLACE	"decrypted there: if that fails, the connection is broken"

const struct relay_difference relay_differences[] = {
	{ "iouring", "send_zerocopy", DOWN, REFUSED },
	{ "iouring", "send_waits", DOWN, REFUSED },
	{ "recv", "recvmmsg", DOWN, REFUSED },		/* at its end, MSG_BATCH */
	{ "send", "sendmmsg", DOWN, REFUSED },
	{ "zerocopy", "send", DOWN, REFUSED },
	{ "zerocopy", "send_without_option", DOWN, REFUSED },
	{ "zerocopy", "send_of_vpi", DOWN, REFUSED },
	{ "urgent", "forwarded", DOWN, REFUSED },
	{ "urgent", "beside", UP, REFUSED },
	{ "urgent", "after_anchor", UP, REFUSED },
	{ "urgent", "inline", UP, REFUSED },
	{ "send", "control_message", DOWN, "EINVAL, for any control message but its own" },
	{ "send", "outq", DOWN, NOT_YET },
	{ "send", "interrupted", DOWN, "a worker waits for room, and holds the lock of TLS" },
	{ "lifecycle", "linger", DOWN, NOT_YET },
	{ "lifecycle", "linger_ends", DOWN, NOT_YET },
	{ "lifecycle", "empty_send", DOWN, "of no bytes TLS makes no record, and asks nobody" },
	{ "lifecycle", "reset_of_sender", DOWN, "who slept in send() has taken the error" },
	{ "lifecycle", "shutdown_write", DOWN, "a record is taken, and lost" },
	{ "lifecycle", "sigpipe", DOWN, "a record is taken, and lost" },
	{ "fault", "recv_nowhere", UP_1_2, INTO_PLACE },
	{ "fault", "recv_nowhere_later", UP_1_2, INTO_PLACE },
	{ "fault", "recv_memory_ends", UP_1_2, INTO_PLACE },
	{ "fault", "recv_hole_inside", UP_1_2, INTO_PLACE },
	{ "fault", "recv_hole_between", UP_1_2, INTO_PLACE },
	{ "recv", "trunc", UP, NO_OPTION },
	{ "peek", "truncated", UP, NO_OPTION },
	{ "peek", "offset", UP, NO_OPTION },
	{ "splice", "sendfile", UP, NO_OPTION },
	{ "recv", "lowat", UP, "poll() tells of each record" },
	{ "poll", "epoll_edge", UP, "so does an edge, when the next record is looked at" },
	{ "recv", "inq_cmsg", UP, "no TCP_INQ" },
	{ "iouring", "recv_nonempty", UP, "no TCP_INQ" },
	{ "recv", "timestamp", UP, "no SO_TIMESTAMP" },
	{ "recv", "nothing_asked_for", UP, "who asks for nothing does not wait" },
	{ "zerocopy", "receive", UP, "TCP_ZEROCOPY_RECEIVE would take records" },
	{}
};
