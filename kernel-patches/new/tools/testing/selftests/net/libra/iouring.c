// SPDX-License-Identifier: GPL-2.0-only
/* io_uring: receive and send without a system call for each, and provided buffers. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fixture.h"

#define SIZE	20000
#define BUFFERS	8
#define BUFFER	8192
#define GROUP	1

struct uring {
	int fd;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_buf_ring *ring;
	char *buffers;
};

static void uring_open(struct __test_metadata *_metadata, struct uring *u)
{
	struct io_uring_params p = {};
	char *rings;

	u->fd = syscall(__NR_io_uring_setup, 16, &p);
	ASSERT_LE(0, u->fd);
	/* One mapping for both rings since 5.4. */
	ASSERT_TRUE(p.features & IORING_FEAT_SINGLE_MMAP);
	rings = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*u->cqes),
		     PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	ASSERT_NE(MAP_FAILED, rings);
	u->sqes = mmap(NULL, p.sq_entries * sizeof(*u->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQES);
	ASSERT_NE(MAP_FAILED, u->sqes);
	u->sq_tail = (void *)(rings + p.sq_off.tail);
	u->sq_mask = (void *)(rings + p.sq_off.ring_mask);
	u->sq_array = (void *)(rings + p.sq_off.array);
	u->cq_head = (void *)(rings + p.cq_off.head);
	u->cq_tail = (void *)(rings + p.cq_off.tail);
	u->cq_mask = (void *)(rings + p.cq_off.ring_mask);
	u->cqes = (void *)(rings + p.cq_off.cqes);
}

static void uring_submit(struct __test_metadata *_metadata, struct uring *u,
			 const struct io_uring_sqe *sqe)
{
	unsigned int tail = *u->sq_tail, at = tail & *u->sq_mask;

	u->sqes[at] = *sqe;
	u->sq_array[at] = at;
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
	ASSERT_EQ(1, syscall(__NR_io_uring_enter, u->fd, 1, 0, 0, NULL, 0));
}

/* The next completion; -ETIME when there is none. */
static int uring_wait(struct uring *u, unsigned int *flags)
{
	unsigned int head = *u->cq_head;
	struct io_uring_cqe *cqe;
	int res;

	if (!relay_poll(u->fd, POLLIN, 2000) ||
	    head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		return -ETIME;
	cqe = &u->cqes[head & *u->cq_mask];
	res = cqe->res;
	if (flags)
		*flags = cqe->flags;
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	return res;
}

static bool uring_idle(struct uring *u)
{
	return !relay_poll(u->fd, POLLIN, 0);
}

static void uring_give(struct uring *u, int id)
{
	struct io_uring_buf *buf = &u->ring->bufs[u->ring->tail % BUFFERS];

	buf->addr = (unsigned long)(u->buffers + id * BUFFER);
	buf->len = BUFFER;
	buf->bid = id;
	__atomic_store_n(&u->ring->tail, u->ring->tail + 1, __ATOMIC_RELEASE);
}

static void uring_provide(struct __test_metadata *_metadata, struct uring *u)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };
	int i;

	u->ring = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, u->ring);
	u->buffers = relay_buffer(BUFFERS * BUFFER);
	reg.ring_addr = (unsigned long)u->ring;
	ASSERT_EQ(0, syscall(__NR_io_uring_register, u->fd,
			     IORING_REGISTER_PBUF_RING, &reg, 1));
	for (i = 0; i < BUFFERS; i++)
		uring_give(u, i);
}

static struct io_uring_sqe sqe_of(int op, int fd, void *buf, size_t len)
{
	struct io_uring_sqe sqe = {
		.opcode = op,
		.fd = fd,
		.addr = (unsigned long)buf,
		.len = len,
	};

	return sqe;
}

RELAY_TEST(recv_send)
{
	struct io_uring_sqe sqe;
	struct uring u;
	size_t total;
	char *buf;

	uring_open(_metadata, &u);
	total = relay_feed(r, SIZE);
	buf = relay_buffer(2 * SIZE);
	sqe = sqe_of(IORING_OP_RECV, r->up, buf, 2 * SIZE);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
	sqe = sqe_of(IORING_OP_SEND, r->down, buf, total);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	EXPECT_TRUE(relay_exact(r));
}

/* Nothing there yet: the request waits for it. */
RELAY_TEST(recv_waits)
{
	size_t head = relay_announce(r, SIZE);
	char *buf = relay_buffer(2 * SIZE);
	struct io_uring_sqe sqe;
	struct uring u;

	uring_open(_metadata, &u);
	if (head)
		ASSERT_EQ(head, recv(r->up, buf, head, 0));
	sqe = sqe_of(IORING_OP_RECV, r->up, buf + head, SIZE);
	sqe.msg_flags = MSG_WAITALL;
	uring_submit(_metadata, &u, &sqe);
	EXPECT_TRUE(uring_idle(&u));
	relay_push(r, SIZE / 2);
	usleep(20000);
	relay_push(r, SIZE / 2);
	ASSERT_EQ(SIZE, uring_wait(&u, NULL));
	relay_forward(r, buf, head + SIZE);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(relay_anchors_waitall(r), relay_anchored(r) >= SIZE / 2);
}

/* The completion says whether there is more. */
RELAY_TEST(recv_nonempty)
{
	size_t total = relay_feed(r, SIZE), half = total / 2;
	char *buf = relay_buffer(2 * SIZE);
	struct io_uring_sqe sqe;
	unsigned int flags;
	struct uring u;

	uring_open(_metadata, &u);
	sqe = sqe_of(IORING_OP_RECV, r->up, buf, half);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(half, uring_wait(&u, &flags));
	EXPECT_EQ(IORING_CQE_F_SOCK_NONEMPTY, flags & IORING_CQE_F_SOCK_NONEMPTY);
	sqe = sqe_of(IORING_OP_RECV, r->up, buf + half, 2 * SIZE - half);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total - half, uring_wait(&u, &flags));
	EXPECT_EQ(0, flags & IORING_CQE_F_SOCK_NONEMPTY);
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

RELAY_TEST(recvmsg_sendmsg)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	struct iovec iov[] = { { buf, 33 }, { buf + 33, 9000 },
			       { buf + 9033, total - 9033 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	struct io_uring_sqe sqe;
	struct uring u;

	uring_open(_metadata, &u);
	sqe = sqe_of(IORING_OP_RECVMSG, r->up, &msg, 1);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	/* TLS says that a record ended, and would say of which type it was. */
	EXPECT_EQ(relay_decrypts(r) ? MSG_EOR | MSG_CTRUNC : 0, msg.msg_flags);
	sqe = sqe_of(IORING_OP_SENDMSG, r->down, &msg, 1);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE - 1000);
}

/* read() and write() requests take another way to the socket. */
RELAY_TEST(readv_writev)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	struct iovec iov[] = { { buf, 5000 }, { buf + 5000, total - 5000 } };
	struct io_uring_sqe sqe;
	struct uring u;

	uring_open(_metadata, &u);
	sqe = sqe_of(IORING_OP_READV, r->up, iov, 2);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	sqe = sqe_of(IORING_OP_WRITEV, r->down, iov, 2);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? SIZE : 0, relay_anchored(r));
}

RELAY_TEST(provided_buffers)
{
	size_t total = relay_feed(r, SIZE), left, want;
	struct io_uring_sqe sqe;
	unsigned int flags, id;
	struct uring u;

	uring_open(_metadata, &u);
	uring_provide(_metadata, &u);
	for (left = total; left; left -= want) {
		want = left < BUFFER ? left : BUFFER;
		sqe = sqe_of(IORING_OP_RECV, r->up, NULL, 0);
		sqe.flags = IOSQE_BUFFER_SELECT;
		sqe.buf_group = GROUP;
		uring_submit(_metadata, &u, &sqe);
		ASSERT_EQ(want, uring_wait(&u, &flags));
		ASSERT_TRUE(flags & IORING_CQE_F_BUFFER);
		id = flags >> IORING_CQE_BUFFER_SHIFT;
		relay_forward(r, u.buffers + id * BUFFER, want);
		uring_give(&u, id);
	}
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached, relay_anchored(r) > SIZE / 2);
}

/* One request, a completion for whatever arrives, until the end. */
RELAY_TEST(multishot)
{
	size_t head = relay_announce(r, 3 * SIZE), total = head + 3 * SIZE;
	struct io_uring_sqe sqe;
	unsigned int flags, id;
	size_t done = 0;
	struct uring u;
	int res, i;

	uring_open(_metadata, &u);
	uring_provide(_metadata, &u);
	sqe = sqe_of(IORING_OP_RECV, r->up, NULL, 0);
	sqe.flags = IOSQE_BUFFER_SELECT;
	sqe.ioprio = IORING_RECV_MULTISHOT;
	sqe.buf_group = GROUP;
	uring_submit(_metadata, &u, &sqe);
	for (i = 1; i <= 3; i++) {
		relay_push(r, SIZE);
		while (done < head + i * SIZE) {
			res = uring_wait(&u, &flags);
			ASSERT_LT(0, res);
			ASSERT_TRUE(flags & IORING_CQE_F_MORE);
			id = flags >> IORING_CQE_BUFFER_SHIFT;
			relay_forward(r, u.buffers + id * BUFFER, res);
			uring_give(&u, id);
			done += res;
		}
		EXPECT_TRUE(relay_exact(r));
	}
	EXPECT_EQ(total, done);
	ASSERT_EQ(0, shutdown(r->a, SHUT_WR));
	EXPECT_EQ(0, uring_wait(&u, &flags));
	EXPECT_FALSE(flags & IORING_CQE_F_MORE);
	EXPECT_EQ(r->attached, relay_anchored(r) > 2 * SIZE);
}

/* Real bytes, sent from where they lie. */
RELAY_TEST(send_zerocopy)
{
	size_t total = relay_feed(r, SIZE);
	char *buf = relay_buffer(total);
	struct io_uring_sqe sqe;
	unsigned int flags;
	struct uring u;

	uring_open(_metadata, &u);
	relay_take_real(r, buf, total);
	sqe = sqe_of(IORING_OP_SEND_ZC, r->down, buf, total);
	uring_submit(_metadata, &u, &sqe);
	ASSERT_EQ(total, uring_wait(&u, &flags));
	ASSERT_TRUE(flags & IORING_CQE_F_MORE);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(0, uring_wait(&u, &flags));
	EXPECT_TRUE(flags & IORING_CQE_F_NOTIF);
}

/* More than fits: the request goes on when there is room. */
RELAY_TEST(send_waits)
{
	struct io_uring_sqe sqe;
	struct uring u;
	size_t total;
	double end;
	char *buf;

	relay_close(r);
	relay_open(r, &r->kind, RELAY_TIGHT);
	uring_open(_metadata, &u);
	total = relay_feed(r, 400000);
	buf = relay_buffer(total);
	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	sqe = sqe_of(IORING_OP_SEND, r->down, buf, total);
	sqe.msg_flags = MSG_WAITALL;
	uring_submit(_metadata, &u, &sqe);
	EXPECT_TRUE(uring_idle(&u));
	/* The request needs this task now and then: no sleep in recv(). */
	for (end = relay_now() + 5; r->checked < r->sent && relay_now() < end;)
		if (!relay_take(r))
			usleep(1000);
	ASSERT_EQ(total, uring_wait(&u, NULL));
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(r->attached ? 400000 : 0, relay_anchored(r));
}

TEST_HARNESS_MAIN
