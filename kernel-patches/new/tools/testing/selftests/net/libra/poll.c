// SPDX-License-Identifier: GPL-2.0-only
/* poll() and epoll: the events, and when they come again. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "fixture.h"

#define SIZE	20000
#define SOON	2000	/* ms: what has to happen happens, even emulated */

static int watch(struct __test_metadata *_metadata, int fd, unsigned int events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(0);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return ep;
}

/* The events of the one socket, 0 if there are none. */
static unsigned int events_of(int ep, int timeout_ms)
{
	struct epoll_event ev = {};

	return epoll_wait(ep, &ev, 1, timeout_ms) == 1 ? ev.events : 0;
}

RELAY_TEST(poll_level)
{
	char *buf = relay_buffer(2 * SIZE);
	size_t total;

	EXPECT_EQ(0, relay_poll(r->up, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(POLLOUT, relay_poll(r->down, POLLIN | POLLOUT, 0));
	total = relay_feed(r, SIZE);
	EXPECT_EQ(POLLIN, relay_poll(r->up, POLLIN, SOON));
	ASSERT_EQ(total - 5000, recv(r->up, buf, total - 5000, 0));
	EXPECT_EQ(POLLIN, relay_poll(r->up, POLLIN, 0));
	ASSERT_EQ(5000, recv(r->up, buf + total - 5000, SIZE, 0));
	EXPECT_EQ(0, relay_poll(r->up, POLLIN, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));

	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	EXPECT_EQ(POLLIN | POLLRDHUP, relay_poll(r->up, POLLIN | POLLRDHUP, SOON));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

RELAY_TEST(epoll_level)
{
	int ep = watch(_metadata, r->up, EPOLLIN | EPOLLRDHUP);
	char *buf = relay_buffer(2 * SIZE);
	size_t total;

	EXPECT_EQ(0, events_of(ep, 0));
	total = relay_feed(r, SIZE);
	EXPECT_EQ(EPOLLIN, events_of(ep, SOON));
	EXPECT_EQ(EPOLLIN, events_of(ep, 0));
	ASSERT_EQ(total - 5000, recv(r->up, buf, total - 5000, 0));
	EXPECT_EQ(EPOLLIN, events_of(ep, 0));
	ASSERT_EQ(5000, recv(r->up, buf + total - 5000, 5000, 0));
	EXPECT_EQ(0, events_of(ep, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

/* No second event without new data; nginx lives by it. */
RELAY_TEST(epoll_edge)
{
	int ep = watch(_metadata, r->up, EPOLLIN | EPOLLRDHUP | EPOLLET);
	size_t head = relay_announce(r, 3 * SIZE), total = head + 3 * SIZE;
	char *buf = relay_buffer(2 * total);

	relay_part(r, SIZE);
	EXPECT_EQ(EPOLLIN, events_of(ep, SOON));
	EXPECT_EQ(0, events_of(ep, 0));
	/* Only a part is read: the rest is no news ... */
	ASSERT_EQ(5000, recv(r->up, buf, 5000, 0));
	EXPECT_EQ(0, events_of(ep, 0));
	/* ... but more is, and reading until EAGAIN gets it all. */
	relay_part(r, SIZE);
	EXPECT_EQ(EPOLLIN, events_of(ep, SOON));
	ASSERT_EQ(head + 2 * SIZE - 5000, recv(r->up, buf + 5000, total, 0));
	EXPECT_EQ(-1, recv(r->up, buf, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, events_of(ep, 0));
	relay_part(r, SIZE);
	EXPECT_EQ(EPOLLIN, events_of(ep, SOON));
	ASSERT_EQ(SIZE, recv(r->up, buf + head + 2 * SIZE, total, MSG_DONTWAIT));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));

	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, events_of(ep, SOON));
	EXPECT_EQ(0, events_of(ep, 0));
	EXPECT_EQ(r->attached, relay_anchored(r) > 3 * SIZE - 1000);
}

RELAY_TEST(epoll_oneshot)
{
	int ep = watch(_metadata, r->up, EPOLLIN | EPOLLONESHOT);
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT };
	char *buf = relay_buffer(2 * SIZE);
	size_t total = relay_feed(r, SIZE);

	EXPECT_EQ(EPOLLIN, events_of(ep, SOON));
	EXPECT_EQ(0, events_of(ep, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, r->up, &again));
	EXPECT_EQ(EPOLLIN, events_of(ep, 0));
	ASSERT_EQ(total - 5000, recv(r->up, buf, total - 5000, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, r->up, &again));
	EXPECT_EQ(EPOLLIN, events_of(ep, 0));
	ASSERT_EQ(5000, recv(r->up, buf + total - 5000, 2 * SIZE - total, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, r->up, &again));
	EXPECT_EQ(0, events_of(ep, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

/* The end of the stream behind data that nobody read yet. */
RELAY_TEST(end_behind_data)
{
	int ep = watch(_metadata, r->up, EPOLLIN | EPOLLRDHUP | EPOLLET);
	char *buf = relay_buffer(2 * SIZE);
	size_t total = relay_feed(r, SIZE);

	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	EXPECT_EQ(POLLIN | POLLRDHUP, relay_poll(r->up, POLLRDHUP, SOON) | POLLIN);
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, events_of(ep, SOON));
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, 0));
	EXPECT_EQ(POLLIN | POLLRDHUP, relay_poll(r->up, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(0, recv(r->up, buf + total, 1, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
}

RELAY_TEST(select)
{
	struct timeval none = {};
	char *buf = relay_buffer(2 * SIZE);
	size_t total = relay_feed(r, SIZE);
	fd_set in;

	FD_ZERO(&in);
	FD_SET(r->up, &in);
	EXPECT_EQ(1, select(r->up + 1, &in, NULL, NULL, &none));
	ASSERT_EQ(total, recv(r->up, buf, 2 * SIZE, 0));
	EXPECT_EQ(0, select(r->up + 1, &in, NULL, NULL, &none));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
}

/* A slow client: the proxy sends what goes and waits for EPOLLOUT, edge by edge. */
RELAY_TEST(epoll_out)
{
	size_t total, done = 0;
	int ep, rounds = 0;
	char *buf;
	ssize_t n;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	total = relay_feed(r, 600000);
	buf = relay_buffer(total);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	EXPECT_EQ(r->attached ? 600000 : 0, relay_anchored(r));

	ep = watch(_metadata, r->down, EPOLLOUT | EPOLLET);
	while (done < total) {
		ASSERT_EQ(EPOLLOUT, events_of(ep, SOON)) {
			TH_LOG("no event after %zu bytes", done);
		}
		while (done < total) {
			n = send(r->down, buf + done, total - done, MSG_DONTWAIT);
			if (n < 0)
				break;
			ASSERT_LT(0, n);
			done += n;
		}
		if (done == total)
			break;
		ASSERT_EQ(EAGAIN, errno);
		EXPECT_EQ(0, relay_poll(r->down, POLLOUT, 0));
		/* Until the socket calls for more. */
		while (!relay_poll(r->down, POLLOUT, 0))
			if (!relay_take(r))
				usleep(1000);
		rounds++;
	}
	EXPECT_LT(3, rounds);
	EXPECT_TRUE(relay_exact(r));
}

TEST_HARNESS_MAIN
