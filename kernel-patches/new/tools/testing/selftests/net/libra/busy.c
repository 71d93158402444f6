// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others may do with a socket on which a sender is busy: it sleeps because its
 * memory is not there yet, which userfaultfd makes last.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fixture.h"

#define SOON	2000	/* ms: what has to happen happens, even emulated */
#define BUSY	100	/* ms */

/**
 * struct sender - a send() that takes its time
 * @thread: in which it is
 * @fd: the socket
 * @uffd: of the memory
 * @memory: which is not there
 * @size: of the memory, whole pages
 * @data: what will be there
 * @len: how much of it is sent
 * @sent: what send() returned
 */
struct sender {
	pthread_t thread;
	int fd;
	int uffd;
	char *memory;
	size_t size;
	const char *data;
	size_t len;
	ssize_t sent;
};

static void *send_it(void *arg)
{
	struct sender *s = arg;

	s->sent = send(s->fd, s->memory, s->len, MSG_NOSIGNAL);
	return NULL;
}

/* When it returns, the send() sleeps. @data: whole pages. */
static void begin(struct __test_metadata *_metadata, struct sender *s, int fd,
		  const char *data, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	size_t page = getpagesize();
	struct uffd_msg msg;

	*s = (struct sender){
		.fd = fd,
		.uffd = syscall(SYS_userfaultfd, O_CLOEXEC),
		.size = (len + page - 1) / page * page,
		.data = data,
		.len = len,
	};
	ASSERT_LE(0, s->uffd);
	ASSERT_EQ(0, ioctl(s->uffd, UFFDIO_API, &api));
	s->memory = mmap(NULL, s->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->memory);
	reg.range.start = (unsigned long)s->memory;
	reg.range.len = s->size;
	ASSERT_EQ(0, ioctl(s->uffd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, send_it, s));
	ASSERT_EQ(sizeof(msg), read(s->uffd, &msg, sizeof(msg)));
	ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
}

static void *give_it(void *arg)
{
	struct sender *s = arg;
	struct uffdio_copy copy = {
		.dst = (unsigned long)s->memory,
		.src = (unsigned long)s->data,
		.len = s->size,
	};

	usleep(BUSY * 1000);
	if (ioctl(s->uffd, UFFDIO_COPY, &copy))
		perror("UFFDIO_COPY");
	return NULL;
}

static void end(struct __test_metadata *_metadata, struct sender *s, pthread_t giver)
{
	ASSERT_EQ(0, pthread_join(giver, NULL));
	ASSERT_EQ(0, pthread_join(s->thread, NULL));
	EXPECT_EQ(s->len, s->sent);
	close(s->uffd);
}

/* All that waits, in memory that is whole pages. */
static char *take(struct __test_metadata *_metadata, struct relay *r, size_t total)
{
	char *buf = relay_buffer(total + getpagesize());

	ASSERT_EQ(total, recv(r->up, buf, total, 0));
	return buf;
}

/*
 * A sender that must not wait: it is served after the other one, or is told that it was
 * not, and then when it can be.
 */
RELAY_TEST(send_beside_another)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
	size_t total = relay_feed(r, 3000), half = total / 2;
	char *buf = take(_metadata, r, total);
	int ep = epoll_create1(0);
	struct sender other;
	pthread_t giver;
	ssize_t n;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, r->down, &ev));
	ASSERT_EQ(1, epoll_wait(ep, &ev, 1, 0));
	ASSERT_EQ(0, epoll_wait(ep, &ev, 1, 0));

	begin(_metadata, &other, r->down, buf, half);
	ASSERT_EQ(0, pthread_create(&giver, NULL, give_it, &other));
	/* What made room may be nothing to it: it may be told more than once. */
	while ((n = send(r->down, buf + half, total - half, MSG_DONTWAIT)) < 0) {
		ASSERT_EQ(EAGAIN, errno);
		ASSERT_EQ(1, epoll_wait(ep, &ev, 1, SOON)) {
			TH_LOG("nobody says that it can go on");
		}
	}
	EXPECT_EQ(total - half, n);
	end(_metadata, &other, giver);
	EXPECT_TRUE(relay_exact(r));
}

/* shutdown() comes behind a send() that is under way, whatever that sends. */
RELAY_TEST(shutdown_beside_a_send)
{
	size_t payload = 40000, total = relay_feed(r, payload);
	size_t cut = total - payload + 10;	/* in a VPI, before its id */
	char *buf = take(_metadata, r, total);
	char *first = relay_buffer(cut + 100);
	char *rest = relay_buffer(total);
	struct sender other;
	pthread_t giver;

	/* What lies behind it in memory is not what comes next. */
	memcpy(first, buf, cut);
	memcpy(rest, buf + cut, total - cut);
	ASSERT_EQ(cut, send(r->down, first, cut, 0));

	begin(_metadata, &other, r->down, rest, total - cut);
	ASSERT_EQ(0, pthread_create(&giver, NULL, give_it, &other));
	EXPECT_EQ(0, shutdown(r->down, SHUT_WR));
	end(_metadata, &other, giver);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_TRUE(relay_at_end(r));
	EXPECT_EQ(r->attached ? payload : 0, relay_anchored(r));
}

TEST_HARNESS_MAIN
