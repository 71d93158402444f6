/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A relay inside of one process: what peer A sends arrives at the proxy's
 * upstream socket, what the proxy sends on its client socket arrives at peer B.
 * A body plays the proxy and checks what a proxy can observe.
 *
 *	A  --->  up (connected by the proxy)    down (accepted)  --->  B
 *
 * Helpers end the process with a message when what they need fails; what is
 * under test is left to the bodies.
 */
#ifndef LIBRA_RELAY_H
#define LIBRA_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Which policy names the ports, see relay_ports[]. */
enum relay_policy {
	RELAY_NATIVE,		/* none */
	RELAY_RAW,		/* one with the parser raw: all is payload */
	RELAY_HTTP1,		/* one with the parser http1 */
	RELAY_LIVE,		/* one that the body makes and removes */
};

/* What kernel TLS encrypts. */
enum relay_tls {
	RELAY_TLS_NONE,
	RELAY_TLS_DOWN,		/* what the proxy sends to B, by TLS 1.3 */
	RELAY_TLS_UP,		/* what it receives from A, and sends to A */
	RELAY_TLS_UP_1_2,	/* the same, by TLS 1.2 */
};

/**
 * struct relay_kind - a variant of all bodies
 * @family: AF_INET or AF_INET6
 * @policy: which ports
 * @framed: messages are HTTP/1 responses, so that payload has boundaries
 * @lazy: the proxy's buffers are payload memory, and nobody has touched them
 * @tls: which of its connections have kernel TLS
 */
struct relay_kind {
	int family;
	enum relay_policy policy;
	bool framed;
	bool lazy;
	enum relay_tls tls;
};

#define RELAY_HEAD	128	/* bytes of a message's header, if framed */
#define RELAY_STAT	4096
#define RELAY_RECORDS	4096
#define RELAY_PATIENCE	5	/* seconds; the CPU may be emulated */

/**
 * struct relay - the four sockets, and what went through them
 * @kind: the variant
 * @a: sends
 * @up: the proxy's socket towards @a
 * @down: the proxy's socket towards @b
 * @b: receives
 * @stream: all that @a ever sent
 * @sent: how much that is
 * @checked: how much of it @b had
 * @attached: a policy names the proxy's sockets
 * @drops: the body leaves payload unforwarded: not all anchors are redeemed
 * @aborts: the body has to end with a fail-stop
 * @anchored: bytes anchored, up to the last relay_anchored()
 * @before: the counters when the relay was opened
 * @records: that @a made, if kernel TLS encrypts what it sends
 * @record_end: where in the stream each of them ends
 */
struct relay {
	struct relay_kind kind;
	int a;
	int up;
	int down;
	int b;
	char *stream;
	size_t sent;
	size_t checked;
	bool attached;
	bool drops;
	bool aborts;
	long anchored;
	char before[RELAY_STAT];
	size_t records;
	size_t record_end[RELAY_RECORDS];
};

/* How much the buffers of the proxy's way out hold. */
enum relay_room {
	RELAY_ROOMY,		/* all that any body sends */
	RELAY_TIGHT,		/* little: the proxy has to wait for B */
};

int relay_netns(void);
bool relay_lazy_missing(void);
void relay_open(struct relay *r, const struct relay_kind *kind,
		enum relay_room room);
void relay_close(struct relay *r);
void relay_shut(int *fd);

/*
 * A's side: a message of @payload bytes, or its parts. All but relay_push() and relay_give(),
 * which sends what the body has put behind the stream, wait until the bytes are in the
 * proxy's receive queue. The relay is in shared memory
 * (see the fixture), so that children may send.
 */
size_t relay_feed(struct relay *r, size_t payload);
size_t relay_announce(struct relay *r, size_t payload);
void relay_part(struct relay *r, size_t bytes);
void relay_push(struct relay *r, size_t bytes);
void relay_give(struct relay *r, size_t bytes);

/* The proxy's side. */
int relay_inq(int fd);
int relay_outq(int fd);
int relay_unsent(int fd);
void relay_wait_inq(int fd, int bytes);
bool relay_left(const struct relay *r, size_t bytes);
void relay_take_real(struct relay *r, void *buf, size_t len);
void relay_send_all(int fd, const void *data, size_t len);
void relay_forward(struct relay *r, const void *data, size_t len);
void *relay_buffer(size_t size);
void *relay_buffer_at(void *place, size_t size);
void relay_release(void *buf, size_t size);
int relay_poll(int fd, int events, int timeout_ms);

/* B's side: are they the bytes that A sent? */
bool relay_exact(struct relay *r);
bool relay_exact_part(struct relay *r, size_t len);
size_t relay_arrived(const struct relay *r);
size_t relay_take(struct relay *r);
bool relay_at_end(struct relay *r);

/* Kernel TLS: what it is put on, and how bytes lie in records. */
bool relay_encrypts(const struct relay *r);
bool relay_decrypts(const struct relay *r);
bool relay_tls_missing(void);
void relay_tls_begin(struct relay *r);
void relay_tls_note(struct relay *r, size_t begin);
void relay_tls_wait(const struct relay *r);
bool relay_tls_left(const struct relay *r, size_t bytes);
size_t relay_wire(const struct relay *r, size_t len);

/**
 * struct relay_difference - kernel TLS is not as TCP, natively: a body does not apply
 * @program: of the body
 * @body: its name
 * @kinds: bits of enum relay_tls, to which not
 * @why: what it does instead
 */
struct relay_difference {
	const char *program;
	const char *body;
	unsigned long kinds;
	const char *why;
};

extern const struct relay_difference relay_differences[];

/* Counters, and what anchoring is due. */
void relay_read_stat(char *text);
long relay_stat(const struct relay *r, const char *name);
long relay_anchored(struct relay *r);
long relay_due(const struct relay *r, size_t payload);
bool relay_anchors_waitall(const struct relay *r);
bool relay_policy_missing(const struct relay *r);
bool relay_idle(void);
void relay_set(const char *name, int value);
size_t relay_min_anchor(void);
size_t relay_size(size_t index);

double relay_now(void);

#endif /* LIBRA_RELAY_H */
