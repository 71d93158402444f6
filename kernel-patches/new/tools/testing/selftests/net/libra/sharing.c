// SPDX-License-Identifier: GPL-2.0-only
/* Sockets in several hands: processes, descriptors, threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "fixture.h"

#define SIZE	40000
#define CHUNK	4096

static void join(struct __test_metadata *_metadata, pid_t pid)
{
	int status;

	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Reads @n bytes and sends them; for children, which have no EXPECT of their own. */
static bool relay_some(struct relay *r, size_t n)
{
	char *buf = relay_buffer(n);
	bool ok;

	ok = recv(r->up, buf, n, MSG_WAITALL) == (ssize_t)n &&
	     send(r->down, buf, n, 0) == (ssize_t)n;
	relay_release(buf, n);
	return ok;
}

/* The child forwards one half and ends, the parent the other. */
RELAY_TEST(forked)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	pid_t pid = fork();

	if (!pid)
		_exit(!relay_some(r, half));
	join(_metadata, pid);
	EXPECT_TRUE(relay_some(r, total - half));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) > SIZE - 1000);
}

/* What the child read, the parent sends, when the child is gone. */
RELAY_TEST(forked_buffer)
{
	size_t total = relay_feed(r, SIZE);
	char *shared;
	pid_t pid;

	shared = mmap(NULL, total, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	pid = fork();
	if (!pid)
		_exit(recv(r->up, shared, total, 0) != total);
	join(_metadata, pid);
	relay_forward(r, shared, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
}

/*
 * The same with the last descriptor of the upstream connection in the child. To
 * Libra its VPIs die with the process: there the connection is aborted.
 */
RELAY_TEST(forked_and_closed)
{
	size_t total = relay_feed(r, SIZE), got = 0;
	int up = r->up;
	char *shared;
	pid_t pid;
	ssize_t n;

	shared = mmap(NULL, total, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	pid = fork();
	if (!pid) {
		usleep(50000);	/* the parent closes first */
		_exit(recv(up, shared, total, 0) != total);
	}
	relay_shut(&r->up);
	join(_metadata, pid);
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	if (!r->attached) {
		relay_forward(r, shared, total);
		EXPECT_TRUE(relay_exact(r));
		return;
	}
	r->drops = true;
	r->aborts = true;
	while ((n = send(r->down, shared, total, MSG_NOSIGNAL)) > 0)
		;
	EXPECT_EQ(ECONNABORTED, errno);
	EXPECT_EQ(1, relay_stat(r, "fail_stop_unknown_vpi"));
	/* At most the header arrived. */
	while ((n = recv(r->b, shared + got, total - got, 0)) > 0)
		got += n;
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_GE(total - SIZE, got);
	EXPECT_EQ(0, memcmp(shared, r->stream, got));
}

static void pass_fds(int channel, const int fds[2])
{
	char control[CMSG_SPACE(2 * sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, 2 * sizeof(int));
	if (sendmsg(channel, &msg, 0) != 1)
		_exit(2);
}

static void take_fds(int channel, int fds[2])
{
	char control[CMSG_SPACE(2 * sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(channel, &msg, 0) != 1)
		_exit(3);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2 * sizeof(int));
}

/* Both sockets go to another process in mid-message, as at a reload of HAProxy. */
RELAY_TEST(passed)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	int channel[2], fds[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, channel));
	pid = fork();
	if (!pid) {
		struct relay mine = *r;

		/* Only by what is passed. */
		close(r->up);
		close(r->down);
		take_fds(channel[1], fds);
		mine.up = fds[0];
		mine.down = fds[1];
		_exit(!relay_some(&mine, total - half));
	}
	EXPECT_TRUE(relay_some(r, half));
	fds[0] = r->up;
	fds[1] = r->down;
	pass_fds(channel[0], fds);
	relay_shut(&r->up);
	relay_shut(&r->down);
	join(_metadata, pid);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_TRUE(relay_at_end(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) > SIZE - 1000);
}

RELAY_TEST(duplicated)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	int up = dup(r->up), down = dup(r->down);
	char *buf = relay_buffer(total);

	ASSERT_LE(0, up);
	ASSERT_LE(0, down);
	ASSERT_EQ(half, recv(up, buf, half, 0));
	relay_shut(&r->up);
	ASSERT_EQ(total - half, recv(up, buf + half, total, 0));
	ASSERT_EQ(half, send(r->down, buf, half, 0));
	relay_shut(&r->down);
	relay_send_all(down, buf + half, total - half);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

struct worker {
	pthread_t thread;
	struct relay *r;
	size_t chunks;
	bool failed;
};

/*
 * Reads and sends the first @len bytes. Whoever first uses a connection in his session has its
 * others looked for, and what a second thread reads meanwhile is copied.
 */
static void begin_alone(struct __test_metadata *_metadata, struct relay *r, size_t len)
{
	EXPECT_TRUE(relay_some(r, len));
	ASSERT_TRUE(relay_exact_part(r, len));
}

/* Reads a chunk, sends a chunk, like others do at the same time. */
static void *relay_chunks(void *arg)
{
	struct worker *w = arg;
	char *buf = relay_buffer(CHUNK);
	ssize_t n;

	while ((n = recv(w->r->up, buf, CHUNK, MSG_DONTWAIT)) > 0) {
		if (n != CHUNK || send(w->r->down, buf, n, 0) != n)
			break;
		w->chunks++;
	}
	w->failed = n >= 0 || errno != EAGAIN;
	relay_release(buf, CHUNK);
	return NULL;
}

/* Every chunk arrives whole and once, in whatever order. */
static bool all_chunks(struct relay *r, const char *got, size_t chunks)
{
	const char *stream = r->stream + r->sent - chunks * CHUNK;
	bool seen[64] = {};
	size_t i, j;

	for (i = 0; i < chunks; i++) {
		for (j = 0; j < chunks; j++)
			if (!seen[j] && !memcmp(got + i * CHUNK,
						stream + j * CHUNK, CHUNK))
				break;
		if (j == chunks)
			return false;
		seen[j] = true;
	}
	return true;
}

RELAY_TEST(two_threads)
{
	size_t chunks = 64, head = relay_feed(r, (chunks + 1) * CHUNK) - chunks * CHUNK;
	struct worker workers[2] = { { .r = r }, { .r = r } };
	char *got = relay_buffer(chunks * CHUNK);
	int i;

	begin_alone(_metadata, r, head);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL,
					    relay_chunks, &workers[i]));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
		EXPECT_FALSE(workers[i].failed);
	}
	EXPECT_EQ(chunks, workers[0].chunks + workers[1].chunks);
	ASSERT_EQ(chunks * CHUNK, recv(r->b, got, chunks * CHUNK, MSG_WAITALL));
	EXPECT_TRUE(all_chunks(r, got, chunks));
	EXPECT_EQ(relay_anchors_waitall(r) ? (chunks + 1) * CHUNK : 0, relay_anchored(r));
}

static void *wait_and_read(void *arg)
{
	struct worker *w = arg;
	char byte[CHUNK];

	w->failed = recv(w->r->up, byte, CHUNK, 0) != CHUNK ||
		    send(w->r->down, byte, CHUNK, 0) != CHUNK;
	return NULL;
}

/* Two threads sleep in recv(); each is woken for its chunk. */
RELAY_TEST(two_sleepers)
{
	struct worker workers[2] = { { .r = r }, { .r = r } };
	size_t head = relay_announce(r, 3 * CHUNK);
	char got[2 * CHUNK];
	int i;

	relay_push(r, CHUNK);
	begin_alone(_metadata, r, head + CHUNK);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL,
					    wait_and_read, &workers[i]));
	usleep(50000);
	for (i = 0; i < 2; i++) {
		relay_push(r, CHUNK);
		usleep(20000);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(workers[i].thread, NULL));
		EXPECT_FALSE(workers[i].failed);
	}
	ASSERT_EQ(sizeof(got), recv(r->b, got, sizeof(got), MSG_WAITALL));
	EXPECT_TRUE(all_chunks(r, got, 2));
	EXPECT_EQ(relay_anchors_waitall(r) ? 3 * CHUNK : 0, relay_anchored(r));
}

/* Both directions at once: B uploads while A sends. */
static void *upload(void *arg)
{
	struct worker *w = arg;
	char *buf = relay_buffer(CHUNK);
	size_t i;

	w->failed = false;
	for (i = 0; i < 50 && !w->failed; i++) {
		memset(buf, i, CHUNK);
		w->failed = send(w->r->b, buf, CHUNK, 0) != CHUNK ||
			    recv(w->r->down, buf, CHUNK, MSG_WAITALL) != CHUNK ||
			    send(w->r->up, buf, CHUNK, 0) != CHUNK ||
			    recv(w->r->a, buf, CHUNK, MSG_WAITALL) != CHUNK ||
			    buf[0] != (char)i || buf[CHUNK - 1] != (char)i;
	}
	relay_release(buf, CHUNK);
	return NULL;
}

RELAY_TEST(both_directions)
{
	struct worker worker = { .r = r };
	size_t i, total;

	/* In HTTP/1 a request stands in the way; the upload comes behind it. */
	total = relay_feed(r, SIZE);
	ASSERT_EQ(0, pthread_create(&worker.thread, NULL, upload, &worker));
	for (i = 0; i < 5; i++)
		EXPECT_TRUE(relay_some(r, i ? SIZE / 5 : total - SIZE / 5 * 4));
	ASSERT_EQ(0, pthread_join(worker.thread, NULL));
	EXPECT_FALSE(worker.failed);
	EXPECT_TRUE(relay_exact(r));
}

TEST_HARNESS_MAIN
