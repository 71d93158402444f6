// SPDX-License-Identifier: GPL-2.0-only
/* The ways to read, and what each of them returns. */
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

#define SIZE	20000	/* payload where no other size is the subject */

/*
 * Where a call has to wait, it is enough to see that it did: the clocks of an
 * emulated machine are not that exact.
 */
static void set_timeout(struct __test_metadata *_metadata, int fd, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
}

/* Every size around a threshold, read by one call into more room than it needs. */
RELAY_TEST(sizes)
{
	size_t size, total, i;
	char *buf;

	for (i = 0; (size = relay_size(i)); i++) {
		buf = relay_buffer(size + 1000);
		total = relay_feed(r, size);
		ASSERT_EQ(total, recv(r->up, buf, size + 1000, 0));
		EXPECT_EQ(relay_due(r, size), relay_anchored(r)) {
			TH_LOG("%zu bytes of payload", size);
		}
		EXPECT_TRUE(relay_left(r, 0));
		ASSERT_EQ(total, send(r->down, buf, total, 0));
		ASSERT_TRUE(relay_exact(r));
		relay_release(buf, size + 1000);
	}
}

/* One message in reads of every size; each returns what was asked for. */
RELAY_TEST(pieces)
{
	size_t total, left, size, i;
	char *buf;

	total = relay_feed(r, 300000);
	buf = relay_buffer(total);
	for (i = 0, left = total; left; left -= size) {
		size = relay_size(i++);
		if (!size || size > left)
			size = left;
		ASSERT_EQ(size, recv(r->up, buf, size, 0));
		ASSERT_TRUE(relay_left(r, left - size));
		ASSERT_EQ(size, send(r->down, buf, size, 0));
	}
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 150000);
}

/* Several small messages in one read, as a pipelining client makes them. */
RELAY_TEST(messages)
{
	size_t total = 0, i;
	char *buf;

	for (i = 0; i < 5; i++)
		total += relay_feed(r, 5000 + i);
	buf = relay_buffer(total + 1);
	ASSERT_EQ(total, read(r->up, buf, total + 1));
	ASSERT_EQ(total, write(r->down, buf, total));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) >= 5 * 5000);
}

/* The client speaks first, as most do. What it says is copied; the answer is not. */
RELAY_TEST(asked_for)
{
	char *buf = relay_buffer(2 * SIZE);
	size_t total;

	if (!r->kind.framed) {
		ASSERT_EQ(100, send(r->b, buf, 100, 0));
		ASSERT_EQ(100, recv(r->down, buf, 100, MSG_WAITALL));
		ASSERT_EQ(100, send(r->up, buf, 100, 0));
		ASSERT_EQ(100, recv(r->a, buf, 100, MSG_WAITALL));
	}
	total = relay_feed(r, SIZE);
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, 0));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

RELAY_TEST(readv)
{
	size_t min = relay_min_anchor();
	size_t lens[] = { 1, 31, 32, 33, min - 1, 0, min, 0, 0, min + 1, 100000 };
	struct iovec iov[ARRAY_SIZE(lens)];
	size_t total, sum = 0, i;
	int n = ARRAY_SIZE(lens);

	total = relay_feed(r, 50000);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		iov[i].iov_base = relay_buffer(lens[i]);
		iov[i].iov_len = lens[i];
		sum += i < ARRAY_SIZE(lens) - 1 ? lens[i] : 0;
	}
	ASSERT_EQ(total, readv(r->up, iov, n));
	EXPECT_TRUE(relay_left(r, 0));
	iov[n - 1].iov_len = total - sum;
	ASSERT_EQ(total, writev(r->down, iov, n));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > 40000);
}

RELAY_TEST(recvmsg)
{
	char control[256], name[64];
	struct iovec iov[2];
	struct msghdr msg = {
		.msg_name = name,
		.msg_namelen = sizeof(name),
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_flags = -1,
	};
	size_t total = relay_feed(r, SIZE);

	iov[0].iov_base = relay_buffer(9000);
	iov[0].iov_len = 9000;
	iov[1].iov_base = relay_buffer(SIZE);
	iov[1].iov_len = SIZE;
	ASSERT_EQ(total, recvmsg(r->up, &msg, 0));
	/* TLS says that a record ended, and of which type it was. */
	EXPECT_EQ(relay_decrypts(r) ? MSG_EOR : 0, msg.msg_flags);
	EXPECT_EQ(0, msg.msg_namelen);
	EXPECT_EQ(relay_decrypts(r) ? CMSG_SPACE(1) : 0, msg.msg_controllen);

	msg.msg_name = NULL;
	msg.msg_namelen = 0;
	msg.msg_controllen = 0;
	iov[1].iov_len = total - 9000;
	ASSERT_EQ(total, sendmsg(r->down, &msg, 0));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

RELAY_TEST(recvmmsg)
{
	struct mmsghdr msgs[4] = {};
	struct iovec iov[4];
	size_t total, part, i;

	total = relay_feed(r, SIZE);
	part = total / 3;
	for (i = 0; i < 4; i++) {
		iov[i].iov_base = relay_buffer(part + 3);
		iov[i].iov_len = i == 2 ? total - 2 * part : part;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	ASSERT_EQ(3, recvmmsg(r->up, msgs, 4, MSG_DONTWAIT, NULL));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(iov[i].iov_len, msgs[i].msg_len);
	EXPECT_EQ(-1, recvmmsg(r->up, msgs + 3, 1, MSG_DONTWAIT, NULL));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(3, sendmmsg(r->down, msgs, 3, 0));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

/* Discards without touching memory: HAProxy drains a connection so. */
RELAY_TEST(trunc)
{
	size_t total = relay_feed(r, SIZE), head = total - SIZE;
	char *buf = relay_buffer(total);

	ASSERT_EQ(head + 5000, recv(r->up, buf, head + 5000, 0));
	relay_forward(r, buf, head + 5000);
	ASSERT_TRUE(relay_exact_part(r, head + 5000));
	EXPECT_EQ(r->attached ? 5000 : 0, relay_anchored(r));

	EXPECT_EQ(4000, recv(r->up, NULL, 4000, MSG_TRUNC));
	EXPECT_TRUE(relay_left(r, SIZE - 9000));
	/* The proxy makes up for it, from a copy of its own. */
	relay_forward(r, r->stream + r->checked, 4000);

	ASSERT_EQ(SIZE - 9000, recv(r->up, buf, total, 0));
	EXPECT_EQ(r->attached ? SIZE - 9000 : 0, relay_anchored(r));
	relay_forward(r, buf, SIZE - 9000);
	EXPECT_TRUE(relay_exact(r));

	/* The next message begins where it begins: no header is anchored. */
	ASSERT_EQ(total, relay_feed(r, SIZE));
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

RELAY_TEST(dontwait)
{
	char *buf = relay_buffer(2 * SIZE);
	size_t total;

	EXPECT_EQ(-1, recv(r->up, buf, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	total = relay_feed(r, SIZE);
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, MSG_DONTWAIT | MSG_WAITALL));
	EXPECT_EQ(-1, recv(r->up, buf + total, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) >= SIZE);
}

RELAY_TEST(waitall)
{
	size_t head = relay_announce(r, SIZE), total = head + SIZE;
	char *buf = relay_buffer(total);
	double begin;

	relay_part(r, 3000);
	if (!fork()) {
		usleep(100000);
		relay_push(r, SIZE - 3000);
		_exit(0);
	}
	begin = relay_now();
	ASSERT_EQ(total, recv(r->up, buf, total, MSG_WAITALL));
	EXPECT_LE(0.05, relay_now() - begin);
	wait(NULL);
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) > SIZE / 2);
}

/* Data that is there comes before the end; then the end comes, again and again. */
RELAY_TEST(waitall_eof)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(2 * SIZE);

	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, MSG_WAITALL));
	EXPECT_EQ(0, recv(r->up, buf + total, 1, MSG_WAITALL));
	EXPECT_EQ(0, recv(r->up, buf + total, 1, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) >= SIZE);
}

RELAY_TEST(timeout)
{
	size_t total = relay_announce(r, SIZE) + 6000;
	char *buf = relay_buffer(2 * SIZE);
	double begin = relay_now();

	set_timeout(_metadata, r->up, 150);
	if (r->kind.framed)
		ASSERT_EQ(RELAY_HEAD, recv(r->up, buf, SIZE, 0));
	EXPECT_EQ(-1, recv(r->up, buf + total, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LE(0.05, relay_now() - begin);

	/* With something read, the timeout is no error. */
	relay_part(r, 6000);
	begin = relay_now();
	ASSERT_EQ(6000, recv(r->up, buf + total - 6000, SIZE, MSG_WAITALL));
	EXPECT_LE(0.05, relay_now() - begin);
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r) ? 6000 : 0, relay_anchored(r));
}

static void on_alarm(int sig)
{
}

RELAY_TEST(interrupted)
{
	struct itimerval soon = { .it_value.tv_usec = 100000 };
	struct sigaction action = { .sa_handler = on_alarm };
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(2 * SIZE);

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, MSG_WAITALL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-1, recv(r->up, buf + total, 1, 0));
	EXPECT_EQ(EINTR, errno);
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) >= SIZE);
}

RELAY_TEST(lowat)
{
	size_t small = relay_min_anchor() <= 3000 ? 3000 : 0;
	size_t head = relay_announce(r, SIZE);
	char *buf = relay_buffer(2 * SIZE);
	int lowat = 5000;
	double begin;

	if (head) {
		ASSERT_EQ(head, recv(r->up, buf, head, 0));
		relay_forward(r, buf, head);
	}
	set_timeout(_metadata, r->up, 150);
	ASSERT_EQ(0, setsockopt(r->up, SOL_SOCKET, SO_RCVLOWAT, &lowat,
				sizeof(lowat)));
	relay_part(r, 4999);
	EXPECT_EQ(0, relay_poll(r->up, POLLIN, 0));
	begin = relay_now();
	ASSERT_EQ(4999, recv(r->up, buf, SIZE, 0));
	EXPECT_LE(0.05, relay_now() - begin);
	relay_forward(r, buf, 4999);

	/* A smaller buffer lowers the mark for this call. */
	relay_part(r, 3000);
	ASSERT_EQ(3000, recv(r->up, buf, 3000, 0));
	relay_forward(r, buf, 3000);

	relay_part(r, 5000);
	EXPECT_EQ(POLLIN, relay_poll(r->up, POLLIN, 0));
	begin = relay_now();
	ASSERT_EQ(5000, recv(r->up, buf, SIZE, 0));
	EXPECT_GT(0.14, relay_now() - begin);
	relay_forward(r, buf, 5000);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? 4999 + small + 5000 : 0, relay_anchored(r));
}

RELAY_TEST(inq)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	char *buf = relay_buffer(2 * SIZE);

	EXPECT_TRUE(relay_left(r, total));
	ASSERT_EQ(half, recv(r->up, buf, half, 0));
	EXPECT_TRUE(relay_left(r, total - half));
	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	relay_poll(r->up, POLLRDHUP, 1000);
	/* The end is not a byte. */
	EXPECT_TRUE(relay_left(r, total - half));
	ASSERT_EQ(total - half, recv(r->up, buf + half, 2 * SIZE - half, 0));
	EXPECT_TRUE(relay_left(r, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) >= SIZE - 1000);
}

/* TCP_INQ: the count that comes with the data. */
RELAY_TEST(inq_cmsg)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	char control[CMSG_SPACE(sizeof(int))];
	char *buf = relay_buffer(total);
	struct iovec iov = { .iov_base = buf, .iov_len = half };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int one = 1, inq;

	ASSERT_EQ(0, setsockopt(r->up, IPPROTO_TCP, TCP_INQ, &one, sizeof(one)));
	ASSERT_EQ(half, recvmsg(r->up, &msg, 0));
	cmsg = CMSG_FIRSTHDR(&msg);
	ASSERT_NE(NULL, cmsg);
	EXPECT_EQ(TCP_CM_INQ, cmsg->cmsg_type);
	memcpy(&inq, CMSG_DATA(cmsg), sizeof(inq));
	EXPECT_EQ(total - half, inq);
	relay_forward(r, buf, half);
	ASSERT_EQ(total - half, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total - half);
	EXPECT_TRUE(relay_exact(r));
}

/* SO_TIMESTAMP brings a control message, Libra or not. */
RELAY_TEST(timestamp)
{
	char control[CMSG_SPACE(sizeof(struct timeval))];
	char *buf = relay_buffer(2 * SIZE);
	struct iovec iov = { .iov_base = buf, .iov_len = 2 * SIZE };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	size_t total;
	int one = 1;

	ASSERT_EQ(0, setsockopt(r->up, SOL_SOCKET, SO_TIMESTAMP, &one,
				sizeof(one)));
	usleep(50000);	/* the first one has to be switched on, in the background */
	total = relay_feed(r, SIZE);
	ASSERT_EQ(total, recvmsg(r->up, &msg, 0));
	ASSERT_NE(NULL, CMSG_FIRSTHDR(&msg));
	EXPECT_EQ(SCM_TIMESTAMP, CMSG_FIRSTHDR(&msg)->cmsg_type);
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

RELAY_TEST(nothing_asked_for)
{
	struct iovec iov[2] = {};
	char *buf = relay_buffer(2 * SIZE);
	size_t total;

	EXPECT_EQ(0, read(r->up, buf, 0));
	EXPECT_EQ(-1, recv(r->up, buf, 0, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	total = relay_feed(r, SIZE);
	EXPECT_EQ(0, recv(r->up, buf, 0, 0));
	EXPECT_EQ(0, readv(r->up, iov, 0));
	EXPECT_EQ(0, readv(r->up, iov, 2));
	EXPECT_TRUE(relay_left(r, total));
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, 0));
	EXPECT_EQ(0, send(r->down, buf, 0, 0));
	relay_forward(r, buf, total);
	EXPECT_EQ(0, send(r->down, buf, 0, 0));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) >= SIZE);
}

TEST_HARNESS_MAIN
