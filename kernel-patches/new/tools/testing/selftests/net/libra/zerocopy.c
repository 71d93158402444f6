// SPDX-License-Identifier: GPL-2.0-only
/* MSG_ZEROCOPY and TCP_ZEROCOPY_RECEIVE. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "fixture.h"

#define SIZE	20000
#define WINDOW	(1 << 16)

static void completed(struct __test_metadata *_metadata, int fd,
		      unsigned int count)
{
	char control[128];
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err *ee;
	struct cmsghdr *cmsg;

	ASSERT_EQ(POLLERR, relay_poll(fd, 0, 2000));
	ASSERT_EQ(0, recvmsg(fd, &msg, MSG_ERRQUEUE));
	EXPECT_EQ(MSG_ERRQUEUE, msg.msg_flags & MSG_ERRQUEUE);
	cmsg = CMSG_FIRSTHDR(&msg);
	ASSERT_NE(NULL, cmsg);
	ee = (void *)CMSG_DATA(cmsg);
	EXPECT_EQ(SO_EE_ORIGIN_ZEROCOPY, ee->ee_origin);
	EXPECT_EQ(0, ee->ee_errno);
	EXPECT_EQ(0, ee->ee_info);
	EXPECT_EQ(count - 1, ee->ee_data);
}

RELAY_TEST(send)
{
	size_t total = relay_feed(r, SIZE);
	int one = 1;
	char *buf;

	ASSERT_EQ(0, setsockopt(r->down, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	buf = relay_buffer(total);
	relay_take_real(r, buf, total);
	ASSERT_EQ(total, send(r->down, buf, total, MSG_ZEROCOPY));
	EXPECT_TRUE(relay_exact(r));
	completed(_metadata, r->down, 1);
	EXPECT_EQ(0, relay_anchored(r));

	/* Plain sends work as before. */
	total = relay_feed(r, SIZE);
	buf = relay_buffer(total);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

/* Without SO_ZEROCOPY the flag means nothing. */
RELAY_TEST(send_without_option)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);

	relay_take_real(r, buf, total);
	ASSERT_EQ(total, send(r->down, buf, total, MSG_ZEROCOPY));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(0, relay_poll(r->down, 0, 0));
}

/*
 * A VPI is found in memory that the kernel was to borrow: there the choice is
 * not to send. Natively the bytes go out, so this is for attached sockets only.
 */
RELAY_TEST(send_of_vpi)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	int one = 1;

	ASSERT_EQ(0, setsockopt(r->down, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	if (!r->attached) {
		ASSERT_EQ(total, send(r->down, buf, total, MSG_ZEROCOPY));
		EXPECT_TRUE(relay_exact(r));
		return;
	}
	r->drops = true;
	r->aborts = true;
	EXPECT_EQ(-1, send(r->down, buf, total, MSG_ZEROCOPY | MSG_NOSIGNAL));
	EXPECT_EQ(ECONNABORTED, errno);
	EXPECT_EQ(1, relay_stat(r, "fail_stop_flags"));
	EXPECT_EQ(-1, recv(r->b, buf, total, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

static ssize_t zerocopy_receive(struct __test_metadata *_metadata,
				struct relay *r, char *window, size_t *skip)
{
	struct tcp_zerocopy_receive zc = {
		.address = (unsigned long)window,
		.length = WINDOW,
	};
	socklen_t len = sizeof(zc);

	ASSERT_EQ(0, getsockopt(r->up, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc,
				&len));
	*skip = zc.recv_skip_hint;
	return zc.length;
}

/*
 * Whole pages arrive, as from a storage server: through a pipe, because pages
 * of files and of processes cannot be mapped by a receiver.
 */
static void send_pages(struct __test_metadata *_metadata, struct relay *r)
{
	size_t page = getpagesize(), i;
	int before = relay_inq(r->up);
	char *bytes = relay_buffer(WINDOW);
	int p[2];

	for (i = 0; i < WINDOW; i++)
		bytes[i] = i / page * 7 + i;
	memcpy(r->stream + r->sent, bytes, WINDOW);
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(WINDOW, fcntl(p[1], F_SETPIPE_SZ, WINDOW));
	for (i = 0; i < WINDOW; i += page)
		ASSERT_EQ(page, write(p[1], bytes + i, page));
	for (i = 0; i < WINDOW; i += page)
		ASSERT_EQ(page, splice(p[0], NULL, r->a, NULL, page,
				       SPLICE_F_MORE));
	r->sent += WINDOW;
	/* The last page goes without a word that it is the last. */
	relay_wait_inq(r->up, before + WINDOW);
	relay_release(bytes, WINDOW);
}

RELAY_TEST(receive)
{
	size_t head, done = 0, mapped = 0, skip;
	char *window, *buf;
	ssize_t n;

	window = mmap(NULL, WINDOW, PROT_READ, MAP_SHARED, r->up, 0);
	ASSERT_NE(MAP_FAILED, window);
	head = relay_announce(r, SIZE + 2 * WINDOW) + SIZE;
	buf = relay_buffer(head + WINDOW);
	relay_part(r, SIZE);
	ASSERT_EQ(head, recv(r->up, buf, head, 0));
	relay_forward(r, buf, head);

	send_pages(_metadata, r);
	while (done < WINDOW) {
		n = zerocopy_receive(_metadata, r, window, &skip);
		ASSERT_LT(0, n + skip);
		if (n) {
			EXPECT_EQ(0, memcmp(window, r->stream + head + done, n));
			relay_forward(r, window, n);
		}
		mapped += n;
		done += n;
		if (skip > WINDOW - done)
			skip = WINDOW - done;
		if (skip) {
			ASSERT_EQ(skip, recv(r->up, buf, skip, MSG_WAITALL));
			relay_forward(r, buf, skip);
		}
		done += skip;
		EXPECT_EQ(WINDOW - done, relay_inq(r->up));
	}
	EXPECT_LT(0, mapped);
	ASSERT_TRUE(relay_exact(r));

	/* What comes behind is read as before. */
	relay_anchored(r);
	relay_part(r, WINDOW);
	ASSERT_EQ(WINDOW, recv(r->up, buf, WINDOW, 0));
	EXPECT_EQ(r->attached ? WINDOW : 0, relay_anchored(r));
	relay_forward(r, buf, WINDOW);
	EXPECT_TRUE(relay_exact(r));
}

TEST_HARNESS_MAIN
