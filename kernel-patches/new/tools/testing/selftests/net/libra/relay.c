// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/libra_memory.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "relay.h"

#define RELAY_STREAM_MAX	(16 << 20)
#define RELAY_ROOM		(4 << 20)

#define RELAY_REQUEST		"GET / HTTP/1.1\r\nHost: relay\r\n\r\n"

/* Where the proxy listens, and where A does. */
static const struct {
	uint16_t listen;
	uint16_t upstream;
} relay_ports[] = {
	[RELAY_NATIVE]	= { 7101, 7001 },
	[RELAY_RAW]	= { 7102, 7002 },
	[RELAY_HTTP1]	= { 7103, 7003 },
	[RELAY_LIVE]	= { 7104, 7004 },
};

/* Whether the buffers of this process are payload memory. */
static bool relay_is_lazy;

double relay_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One of our own, unless the caller made one, with policies in it. */
int relay_netns(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (getenv("LIBRA_NETNS"))
		return 0;
	if (unshare(CLONE_NEWNET))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		err(1, "bringing lo up");
	close(fd);
	return 0;
}

/* --- sockets --- */

static socklen_t relay_address(int family, uint16_t port,
			       struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	if (family == AF_INET6) {
		in6->sin6_port = htons(port);
		in6->sin6_addr = in6addr_loopback;
		return sizeof(*in6);
	}
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*in);
}

/* The forced sizes are not bounded by sysctls, and not adapted afterwards. */
static int relay_socket(int family, int rcvbuf, int sndbuf)
{
	int fd = socket(family, SOCK_STREAM, IPPROTO_TCP);
	int one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)))
		err(1, "socket");
	return fd;
}

static void relay_connect(int listener, int family, uint16_t port, int rcvbuf,
			  int *connected, int *accepted)
{
	struct sockaddr_storage ss;
	socklen_t len = relay_address(family, port, &ss);

	*connected = relay_socket(family, rcvbuf, RELAY_ROOM);
	if (connect(*connected, (void *)&ss, len))
		err(1, "connect to port %u", port);
	*accepted = accept(listener, NULL, NULL);
	if (*accepted < 0)
		err(1, "accept");
}

static int relay_listen(int family, uint16_t port, int sndbuf)
{
	struct sockaddr_storage ss;
	socklen_t len = relay_address(family, port, &ss);
	int fd = relay_socket(family, RELAY_ROOM, sndbuf);

	if (bind(fd, (void *)&ss, len) || listen(fd, 1))
		err(1, "listen on port %u", port);
	return fd;
}

void relay_open(struct relay *r, const struct relay_kind *kind,
		enum relay_room room)
{
	struct timeval patience = { .tv_sec = RELAY_PATIENCE };
	uint16_t upstream = relay_ports[kind->policy].upstream;
	uint16_t port = relay_ports[kind->policy].listen;
	int tight = room == RELAY_TIGHT;
	int listener;

	if (!r->stream) {
		r->stream = mmap(NULL, RELAY_STREAM_MAX, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (r->stream == MAP_FAILED)
			err(1, "memory for the stream");
		relay_read_stat(r->before);
	}
	r->kind = *kind;
	r->attached = kind->policy == RELAY_RAW || kind->policy == RELAY_HTTP1;
	/* All ends of the relay are one session's. */
	if (r->attached)
		relay_set("strangers", 0);
	r->sent = 0;
	r->checked = 0;
	relay_is_lazy = kind->lazy;

	listener = relay_listen(kind->family, port,
				tight ? 16 << 10 : RELAY_ROOM);
	relay_connect(listener, kind->family, port, tight ? 8 << 10 : RELAY_ROOM,
		      &r->b, &r->down);
	close(listener);
	listener = relay_listen(kind->family, upstream, RELAY_ROOM);
	relay_connect(listener, kind->family, upstream, RELAY_ROOM, &r->up, &r->a);
	close(listener);
	if (setsockopt(r->b, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		err(1, "SO_RCVTIMEO");
	relay_tls_begin(r);
}

void relay_shut(int *fd)
{
	if (*fd >= 0 && close(*fd))
		err(1, "close");
	*fd = -1;
}

void relay_close(struct relay *r)
{
	relay_shut(&r->a);
	relay_shut(&r->up);
	relay_shut(&r->down);
	relay_shut(&r->b);
}

/* --- peer A --- */

/* Eight bytes are enough to know a place in the stream. */
static void relay_fill(struct relay *r, size_t len)
{
	size_t i;

	if (r->sent + len > RELAY_STREAM_MAX)
		errx(1, "the stream is full");
	for (i = r->sent; i < r->sent + len; i++)
		r->stream[i] = ((i / 8 + 1) * 0x9e3779b97f4a7c15ull) >>
			       (8 * (i % 8));
}

void relay_send_all(int fd, const void *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			err(1, "send: %zu bytes are left", len);
		data += n;
		len -= n;
	}
}

/* What is in the stream behind @sent goes out. */
void relay_give(struct relay *r, size_t bytes)
{
	size_t begin = r->sent;

	r->sent += bytes;
	if (relay_decrypts(r))
		relay_tls_note(r, begin);
	relay_send_all(r->a, r->stream + begin, bytes);
}

/* ... and arrives. */
static void relay_send_stream(struct relay *r, size_t len)
{
	int before = relay_inq(r->up);

	relay_give(r, len);
	if (relay_decrypts(r))
		relay_tls_wait(r);
	else
		relay_wait_inq(r->up, before + len);
}

void relay_push(struct relay *r, size_t bytes)
{
	relay_fill(r, bytes);
	relay_give(r, bytes);
}

void relay_part(struct relay *r, size_t bytes)
{
	relay_fill(r, bytes);
	relay_send_stream(r, bytes);
}

/* A response is one only if it was asked for. */
static void relay_request(struct relay *r)
{
	char text[sizeof(RELAY_REQUEST)];
	const int len = sizeof(text) - 1;

	relay_send_all(r->b, RELAY_REQUEST, len);
	if (recv(r->down, text, len, MSG_WAITALL) != len)
		err(1, "the request on its way up");
	relay_send_all(r->up, text, len);
	if (recv(r->a, text, len, MSG_WAITALL) != len ||
	    memcmp(text, RELAY_REQUEST, len))
		errx(1, "the request arrived wrong");
}

size_t relay_announce(struct relay *r, size_t payload)
{
	char head[RELAY_HEAD + 1];
	int len;

	if (!r->kind.framed)
		return 0;
	relay_request(r);
	len = snprintf(head, sizeof(head),
		       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX: ", payload);
	len += sprintf(head + len, "%0*d\r\n\r\n", RELAY_HEAD - 4 - len, 0);
	memcpy(r->stream + r->sent, head, len);
	relay_send_stream(r, len);
	return len;
}

size_t relay_feed(struct relay *r, size_t payload)
{
	size_t head = relay_announce(r, payload);

	relay_part(r, payload);
	return head + payload;
}

/* --- the proxy --- */

static int relay_ioctl(int fd, unsigned long request)
{
	int value;

	if (ioctl(fd, request, &value))
		err(1, "ioctl %lx", request);
	return value;
}

int relay_inq(int fd)
{
	return relay_ioctl(fd, SIOCINQ);
}

int relay_outq(int fd)
{
	return relay_ioctl(fd, SIOCOUTQ);
}

int relay_unsent(int fd)
{
	return relay_ioctl(fd, SIOCOUTQNSD);
}

void relay_wait_inq(int fd, int bytes)
{
	double end = relay_now() + RELAY_PATIENCE;
	int inq;

	while ((inq = relay_inq(fd)) != bytes) {
		if (relay_now() > end)
			errx(1, "%d bytes arrived, expected %d", inq, bytes);
		usleep(200);
	}
}

/* So many bytes are there to read, as far as SIOCINQ says. */
bool relay_left(const struct relay *r, size_t bytes)
{
	if (relay_decrypts(r))
		return relay_tls_left(r, bytes);
	return relay_inq(r->up) == bytes;
}

/* The next bytes themselves, although the socket may be attached. */
void relay_take_real(struct relay *r, void *buf, size_t len)
{
	ssize_t peeked = recv(r->up, buf, len, MSG_PEEK), got;

	/* TLS knows no MSG_TRUNC; what has to wait for more, Libra leaves to it. */
	if (relay_decrypts(r))
		got = recv(r->up, buf, len, MSG_WAITALL);
	else
		got = recv(r->up, NULL, len, MSG_TRUNC);
	if (peeked != len || got != len)
		errx(1, "%zd and %zd bytes of %zu", peeked, got, len);
}

void relay_forward(struct relay *r, const void *data, size_t len)
{
	relay_send_all(r->down, data, len);
}

bool relay_lazy_missing(void)
{
	return access(LIBRA_DEVICE, R_OK | W_OK);
}

/*
 * An arena for each buffer, so that what a body does to the access rights of one
 * does not make others native.
 */
static void *relay_payload_memory(void *place, size_t size)
{
	struct libra_arena arena = { .size = size };
	int dev = open(LIBRA_DEVICE, O_RDWR | O_CLOEXEC);
	int fd = dev < 0 ? -1 : ioctl(dev, LIBRA_IOC_ARENA, &arena);
	void *buf;

	if (fd < 0)
		err(1, "an arena of %zu bytes", size);
	buf = mmap(place, size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | (place ? MAP_FIXED : 0), fd, 0);
	close(fd);
	close(dev);
	return buf;
}

static size_t relay_pages(size_t size)
{
	size_t page = getpagesize();

	return size ? (size + page - 1) / page * page : page;
}

/* What is at @place is replaced; NULL: anywhere. */
void *relay_buffer_at(void *place, size_t size)
{
	size_t pages = relay_pages(size);
	void *buf;

	if (relay_is_lazy)
		buf = relay_payload_memory(place, pages);
	else
		buf = mmap(place, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			   MAP_ANONYMOUS | (place ? MAP_FIXED : 0), -1, 0);
	if (buf == MAP_FAILED)
		err(1, "memory");
	/* Not by chance what belongs there. Payload memory is best left alone. */
	if (!relay_is_lazy)
		memset(buf, 0xee, pages);
	return buf;
}

void *relay_buffer(size_t size)
{
	return relay_buffer_at(NULL, size);
}

void relay_release(void *buf, size_t size)
{
	if (munmap(buf, relay_pages(size)))
		err(1, "munmap");
}

int relay_poll(int fd, int events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	if (poll(&pfd, 1, timeout_ms) < 0)
		err(1, "poll");
	return pfd.revents;
}

/* --- peer B --- */

static bool relay_same(struct relay *r, const char *got, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (got[i] == r->stream[r->checked + i])
			continue;
		fprintf(stderr, "# byte %zu of the stream is wrong\n",
			r->checked + i);
		return false;
	}
	r->checked += len;
	return true;
}

bool relay_exact_part(struct relay *r, size_t len)
{
	char *got = malloc(len ? : 1);
	bool same = false;
	ssize_t n;

	/* A read of nothing would wait for something. */
	n = len ? recv(r->b, got, len, MSG_WAITALL) : 0;
	if (n == (ssize_t)len)
		same = relay_same(r, got, len);
	else
		fprintf(stderr, "# %zd bytes of %zu arrived, from %zu on: %s\n",
			n, len, r->checked, n < 0 ? strerror(errno) : "end");
	free(got);
	return same;
}

/* How many bytes B can read. */
size_t relay_arrived(const struct relay *r)
{
	size_t room = r->sent - r->checked + 1;
	ssize_t n;
	char *got;

	if (!relay_encrypts(r))
		return relay_inq(r->b);
	got = malloc(room);
	n = recv(r->b, got, room, MSG_PEEK | MSG_DONTWAIT);
	free(got);
	return n < 0 ? 0 : n;
}

/* All that A sent, and not a byte more. */
bool relay_exact(struct relay *r)
{
	if (!relay_exact_part(r, r->sent - r->checked))
		return false;
	if (relay_inq(r->b) || relay_arrived(r)) {
		fprintf(stderr, "# too many bytes arrived\n");
		return false;
	}
	return true;
}

/* What is there; it may be nothing. */
size_t relay_take(struct relay *r)
{
	char got[16384];
	ssize_t n;

	n = recv(r->b, got, sizeof(got), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0 || !relay_same(r, got, n))
		errx(1, "B received %zd wrong bytes", n);
	return n;
}

bool relay_at_end(struct relay *r)
{
	char byte;

	return recv(r->b, &byte, 1, 0) == 0;
}

/* The sizes around every threshold; 0 ends them. */
size_t relay_size(size_t index)
{
	size_t min = relay_min_anchor(), page = getpagesize();
	const size_t sizes[] = {
		1, 31, 32, 33, min - 1, min, min + 1, page - 1, page, page + 1,
		16 << 10, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 1 << 20,
	};

	return index < sizeof(sizes) / sizeof(*sizes) ? sizes[index] : 0;
}
