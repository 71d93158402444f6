// SPDX-License-Identifier: GPL-2.0-only
/* The ways to send what was read, and what each of them returns. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "fixture.h"

#define SIZE	20000

/* A message, read by one call. */
static char *take(struct __test_metadata *_metadata, struct relay *r,
		  size_t payload, size_t *total)
{
	char *buf;

	*total = relay_feed(r, payload);
	buf = relay_buffer(*total);
	ASSERT_EQ(*total, recv(r->up, buf, *total, 0));
	EXPECT_EQ(relay_due(r, payload), relay_anchored(r));
	return buf;
}

/* Whatever the sizes of the sends, the whole message arrives. */
RELAY_TEST(pieces)
{
	static const size_t cuts[] = {
		1, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 129, 130, 160, 161,
	};
	size_t total, at, n, i;
	char *buf;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		buf = take(_metadata, r, 5000, &total);
		n = cuts[i];
		for (at = 0; at < 10 * n && at < total; at += n)
			ASSERT_EQ(n, send(r->down, buf + at, n, 0));
		ASSERT_EQ(total - at, send(r->down, buf + at, total - at, 0));
		EXPECT_TRUE(relay_exact(r)) {
			TH_LOG("in pieces of %zu", n);
		}
		relay_release(buf, total);
	}
}

/* Within a moment B has so many bytes, without more being sent. */
static bool arrives(struct relay *r, size_t bytes)
{
	double end = relay_now() + 0.3;

	while (relay_arrived(r) != bytes && relay_now() < end)
		usleep(1000);
	return relay_arrived(r) == bytes;
}

static void cut(struct __test_metadata *_metadata, struct relay *r, size_t at)
{
	size_t total;
	char *buf = take(_metadata, r, 5000, &total);

	at += total - 5000;
	ASSERT_EQ(at, send(r->down, buf, at, 0));
	EXPECT_TRUE(arrives(r, at)) {
		TH_LOG("%zu of %zu bytes", relay_arrived(r), at);
	}
	relay_forward(r, buf + at, total - at);
	EXPECT_TRUE(relay_exact(r));
	relay_release(buf, total);
}

/* What was accepted arrives, however little of the message it is. */
RELAY_TEST(cut_behind_vpi)
{
	cut(_metadata, r, 0);
	cut(_metadata, r, 32);
	cut(_metadata, r, 33);
	cut(_metadata, r, 1000);
	cut(_metadata, r, 4999);
}

RELAY_TEST(cut_inside_vpi)
{
	cut(_metadata, r, 1);
	cut(_metadata, r, 7);
	cut(_metadata, r, 8);
	cut(_metadata, r, 16);
	cut(_metadata, r, 31);
}

/*
 * Payload that was copied, because it is short, ends like a VPI begins: by
 * chance one byte of one message in 256, and five of one in 2^40. There is no VPI
 * left that it could be.
 */
RELAY_TEST(ends_like_vpi)
{
	size_t total, head, n;
	char magic[8], *buf;

	buf = take(_metadata, r, 5000, &total);
	head = total - 5000;
	memcpy(magic, buf + head, sizeof(magic));
	relay_forward(r, buf, total);
	ASSERT_TRUE(relay_exact(r));
	relay_release(buf, total);

	relay_announce(r, 4 * 200);
	if (head) {
		buf = relay_buffer(head);
		ASSERT_EQ(head, recv(r->up, buf, head, 0));
		relay_forward(r, buf, head);
		ASSERT_TRUE(relay_exact(r));
		relay_release(buf, head);
	}
	for (n = 1; n <= 4; n++) {
		char piece[200] = {};

		memcpy(piece + sizeof(piece) - n, magic, n);
		memcpy(r->stream + r->sent, piece, sizeof(piece));
		relay_give(r, sizeof(piece));
		ASSERT_EQ(sizeof(piece), recv(r->up, piece, sizeof(piece),
					      MSG_WAITALL));
		relay_forward(r, piece, sizeof(piece));
		EXPECT_TRUE(arrives(r, r->sent - r->checked)) {
			TH_LOG("%zu bytes like a VPI's", n);
		}
		ASSERT_TRUE(relay_exact_part(r, relay_arrived(r)));
	}
}

RELAY_TEST(writev)
{
	size_t total, i;
	char *buf = take(_metadata, r, SIZE, &total);
	size_t lens[] = { 5, 0, 123, 1, 31, 0, 0, 32, 4096, total - 4288, 0 };
	struct iovec iov[ARRAY_SIZE(lens)];
	char *at = buf;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		iov[i].iov_base = at;
		iov[i].iov_len = lens[i];
		at += lens[i];
	}
	ASSERT_EQ(buf + total, at);
	ASSERT_EQ(total, writev(r->down, iov, ARRAY_SIZE(iov)));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->kind.lazy, relay_stat(r, "lazy_tx_bytes") > 0);
}

RELAY_TEST(sendmmsg)
{
	struct mmsghdr msgs[3] = {};
	struct iovec iov[3];
	size_t total, i;
	char *buf;

	buf = take(_metadata, r, SIZE, &total);
	for (i = 0; i < 3; i++) {
		iov[i].iov_base = buf + i * 6000;
		iov[i].iov_len = i < 2 ? 6000 : total - 12000;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	ASSERT_EQ(3, sendmmsg(r->down, msgs, 3, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(iov[i].iov_len, msgs[i].msg_len);
	EXPECT_TRUE(relay_exact(r));
}

/* Bytes of the proxy's own go between those that it read, in the same memory. */
RELAY_TEST(copied_elsewhere)
{
	size_t total;
	char *buf = take(_metadata, r, SIZE, &total);
	char *other = relay_buffer(total);

	memcpy(other, buf, total);
	memset(buf, 0, total);
	relay_forward(r, other, total);
	EXPECT_TRUE(relay_exact(r));
}

/* MSG_MORE keeps a part of a segment back, its absence sends it. */
RELAY_TEST(more)
{
	size_t first, second, waits;
	char *buf;

	buf = take(_metadata, r, 5000, &first);
	ASSERT_EQ(first, send(r->down, buf, first, MSG_MORE));
	/* TLS keeps a record back itself. */
	waits = relay_encrypts(r) ? 0 : first;
	EXPECT_EQ(waits, relay_unsent(r->down));
	EXPECT_EQ(waits, relay_outq(r->down));
	EXPECT_EQ(0, relay_arrived(r));

	buf = take(_metadata, r, 3000, &second);
	ASSERT_EQ(second, send(r->down, buf, second, 0));
	EXPECT_EQ(0, relay_unsent(r->down));
	EXPECT_TRUE(relay_exact(r));

	/* Nothing is left back by a send that does not ask for it. */
	buf = take(_metadata, r, 5000, &first);
	ASSERT_EQ(first - 100, send(r->down, buf, first - 100, 0));
	EXPECT_EQ(0, relay_unsent(r->down));
	ASSERT_EQ(100, send(r->down, buf + first - 100, 100, 0));
	EXPECT_EQ(0, relay_unsent(r->down));
	EXPECT_TRUE(relay_exact(r));
}

RELAY_TEST(cork)
{
	int on = 1, off = 0;
	size_t total;
	char *buf;

	buf = take(_metadata, r, 5000, &total);
	ASSERT_EQ(0, setsockopt(r->down, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	ASSERT_EQ(total, send(r->down, buf, total, 0));
	EXPECT_EQ(relay_encrypts(r) ? relay_wire(r, total) : total, relay_unsent(r->down));
	ASSERT_EQ(0, setsockopt(r->down, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)));
	EXPECT_EQ(0, relay_unsent(r->down));
	EXPECT_TRUE(relay_exact(r));
}

/* With Nagle's algorithm, too, one call is one push. */
RELAY_TEST(nagle)
{
	size_t total, at, n;
	int off = 0;
	char *buf;

	ASSERT_EQ(0, setsockopt(r->down, IPPROTO_TCP, TCP_NODELAY, &off,
				sizeof(off)));
	buf = take(_metadata, r, SIZE, &total);
	for (at = 0; at < total; at += n) {
		n = total - at < 3001 ? total - at : 3001;
		ASSERT_EQ(n, send(r->down, buf + at, n, 0));
	}
	EXPECT_TRUE(relay_exact(r));
}

/* All that was accepted is at B, or counted by SIOCOUTQ. */
RELAY_TEST(outq)
{
	size_t total, done = 0;
	double end;
	ssize_t n;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	EXPECT_EQ(0, relay_outq(r->down));
	buf = take(_metadata, r, 600000, &total);
	while ((n = send(r->down, buf + done, total - done, MSG_DONTWAIT)) > 0)
		done += n;
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_LT(0, done);
	ASSERT_LT(done, total);
	/* The acknowledgment of what B has may be delayed. */
	for (end = relay_now() + 2; relay_now() < end; usleep(1000))
		if (relay_outq(r->down) + relay_inq(r->b) == done)
			break;
	EXPECT_EQ(done, relay_outq(r->down) + relay_inq(r->b));
	EXPECT_LT(0, relay_unsent(r->down));
	EXPECT_EQ(0, relay_poll(r->down, POLLOUT, 0));

	if (!fork()) {
		relay_forward(r, buf + done, total - done);
		_exit(0);
	}
	EXPECT_TRUE(relay_exact(r));
	wait(NULL);
	for (end = relay_now() + 2; relay_now() < end; usleep(1000))
		if (!relay_outq(r->down))
			break;
	EXPECT_EQ(0, relay_outq(r->down));
}

/* A blocking send of more than fits waits, and takes all of it. */
RELAY_TEST(blocking)
{
	size_t total;
	int status;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	buf = take(_metadata, r, 400000, &total);
	if (!fork()) {
		bool exact = relay_exact(r);

		_exit(!exact);
	}
	ASSERT_EQ(total, send(r->down, buf, total, 0));
	ASSERT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
}

RELAY_TEST(timeout)
{
	struct timeval tv = { .tv_usec = 100000 };
	size_t total, done;
	double begin;
	ssize_t n;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	buf = take(_metadata, r, 400000, &total);
	ASSERT_EQ(0, setsockopt(r->down, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	begin = relay_now();
	n = send(r->down, buf, total, 0);
	ASSERT_LT(0, n);
	ASSERT_LT(n, total);
	EXPECT_LE(0.05, relay_now() - begin);
	for (done = n; n > 0; done += n > 0 ? n : 0)
		n = send(r->down, buf + done, total - done, 0);
	EXPECT_EQ(EAGAIN, errno);

	while (done < total) {
		relay_take(r);
		n = send(r->down, buf + done, total - done, MSG_DONTWAIT);
		done += n > 0 ? n : 0;
	}
	EXPECT_TRUE(relay_exact(r));
}

/* A signal ends a blocking send with what was accepted so far. */
static void on_alarm(int sig)
{
}

RELAY_TEST(interrupted)
{
	struct itimerval soon = { .it_value.tv_usec = 100000 };
	struct sigaction action = { .sa_handler = on_alarm };
	size_t total, done;
	ssize_t n;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	buf = take(_metadata, r, 400000, &total);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	n = send(r->down, buf, total, 0);
	ASSERT_LT(0, n);
	ASSERT_LT(n, total);
	for (done = n; done < total; done += n > 0 ? n : 0) {
		relay_take(r);
		n = send(r->down, buf + done, total - done, MSG_DONTWAIT);
	}
	EXPECT_TRUE(relay_exact(r));
}

/* A control message comes with the send; natively it is not in the stream. */
RELAY_TEST(control_message)
{
	char control[CMSG_SPACE(sizeof(unsigned int))] = {};
	size_t total;
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	char *buf;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SO_MARK;
	cmsg->cmsg_len = CMSG_LEN(sizeof(unsigned int));

	/* Real bytes: with a VPI it would be a fail-stop. */
	total = relay_feed(r, SIZE);
	buf = relay_buffer(total);
	relay_take_real(r, buf, total);
	iov.iov_base = buf;
	iov.iov_len = total;
	ASSERT_EQ(total, sendmsg(r->down, &msg, 0));
	EXPECT_TRUE(relay_exact(r));
}

TEST_HARNESS_MAIN
