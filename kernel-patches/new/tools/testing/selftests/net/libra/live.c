// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies that come, go and change while data is on its way. LIBRACTL is the
 * command that makes them: libractl, with the socket of a librad that serves
 * this network namespace.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/socket.h>

#include "../../kselftest_harness.h"
#include "relay.h"

#define SIZE	20000

/* What libractl prints, without its newline. */
static void control(struct __test_metadata *_metadata, char *answer,
		    const char *format, ...)
{
	char command[512];
	va_list args;
	FILE *pipe;
	int len;

	len = snprintf(command, sizeof(command), "%s ", getenv("LIBRACTL"));
	va_start(args, format);
	vsnprintf(command + len, sizeof(command) - len, format, args);
	va_end(args);
	pipe = popen(command, "r");
	ASSERT_NE(NULL, pipe);
	len = fread(answer, 1, 63, pipe);
	answer[len] = 0;
	answer[strcspn(answer, "\n")] = 0;
	ASSERT_EQ(0, pclose(pipe)) {
		TH_LOG("%s", command);
	}
}

FIXTURE(live) {
	struct relay relay;
};

FIXTURE_VARIANT(live) {
	struct relay_kind kind;
	const char *address;
};

FIXTURE_VARIANT_ADD(live, v4) {
	.kind = { .family = AF_INET, .policy = RELAY_LIVE },
	.address = "127.0.0.1",
};

FIXTURE_VARIANT_ADD(live, v6) {
	.kind = { .family = AF_INET6, .policy = RELAY_LIVE },
	.address = "[::1]",
};

FIXTURE_SETUP(live)
{
	if (!getenv("LIBRACTL"))
		SKIP(return, "needs librad, see LIBRACTL");
	relay_open(&self->relay, &variant->kind, RELAY_ROOMY);
}

FIXTURE_TEARDOWN_PARENT(live)
{
	struct relay *r = &self->relay;

	if (_metadata->exit_code)
		return;
	EXPECT_TRUE(relay_idle());
	EXPECT_EQ(0, relay_stat(r, "fail_stops"));
	EXPECT_EQ(0, relay_stat(r, "anchors_reclaimed"));
	EXPECT_EQ(0, relay_stat(r, "anchors_expired"));
}

static void add_policy(struct __test_metadata *_metadata, const char *address,
		       const char *parser, char *policy)
{
	control(_metadata, policy,
		"attach --parser %s --listen %s:7104 --upstream %s:7004 --domain 9 --mode token",
		parser, address, address);
}

static void remove_policy(struct __test_metadata *_metadata, const char *policy)
{
	char answer[64];

	control(_metadata, answer, "detach %s", policy);
}

static void again(struct relay *r, bool framed)
{
	struct relay_kind kind = r->kind;

	kind.framed = framed;
	relay_close(r);
	relay_open(r, &kind, RELAY_ROOMY);
}

static void relay_some(struct __test_metadata *_metadata, struct relay *r,
		       size_t n)
{
	char *buf = relay_buffer(n);

	ASSERT_EQ(n, recv(r->up, buf, n, MSG_WAITALL));
	relay_forward(r, buf, n);
	relay_release(buf, n);
}

/* A connection that is there goes on natively; a new one is attached. */
TEST_F(live, attach)
{
	struct relay *r = &self->relay;
	char policy[64];

	relay_feed(r, SIZE);
	relay_some(_metadata, r, 5000);
	add_policy(_metadata, variant->address, "raw", policy);
	relay_some(_metadata, r, SIZE - 5000);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(0, relay_anchored(r));

	again(r, false);
	relay_feed(r, SIZE);
	relay_some(_metadata, r, SIZE);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(SIZE, relay_anchored(r));
	relay_close(r);
	remove_policy(_metadata, policy);
}

/* What is anchored is still sent; nothing more is. */
TEST_F(live, detach)
{
	struct relay *r = &self->relay;
	char *buf = relay_buffer(SIZE);
	char policy[64];

	add_policy(_metadata, variant->address, "raw", policy);
	again(r, false);
	relay_feed(r, SIZE);
	ASSERT_EQ(SIZE / 2, recv(r->up, buf, SIZE / 2, 0));
	EXPECT_EQ(SIZE / 2, relay_anchored(r));
	relay_forward(r, buf, 3000);
	remove_policy(_metadata, policy);
	ASSERT_EQ(SIZE / 2, recv(r->up, buf + SIZE / 2, SIZE, 0));
	EXPECT_EQ(0, relay_anchored(r));
	relay_forward(r, buf + 3000, SIZE - 3000);
	EXPECT_TRUE(relay_exact(r));

	again(r, false);
	relay_feed(r, SIZE);
	relay_some(_metadata, r, SIZE);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(0, relay_anchored(r));
}

/* Somebody sleeps in recv() meanwhile. */
TEST_F(live, detach_sleeper)
{
	struct relay *r = &self->relay;
	char *buf = relay_buffer(SIZE);
	char policy[64];
	int status;
	pid_t pid;

	add_policy(_metadata, variant->address, "raw", policy);
	again(r, false);
	pid = fork();
	if (!pid) {
		bool all = recv(r->up, buf, SIZE, MSG_WAITALL) == SIZE;

		if (all)
			relay_forward(r, buf, SIZE);
		_exit(!all);
	}
	relay_push(r, SIZE / 2);
	usleep(50000);
	remove_policy(_metadata, policy);
	relay_push(r, SIZE / 2);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(SIZE / 2, relay_anchored(r));
}

/* Another parser for the same ports: for new connections. */
TEST_F(live, replace_parser)
{
	struct relay *r = &self->relay;
	char *buf = relay_buffer(2 * SIZE);
	char policy[64];
	size_t total;

	add_policy(_metadata, variant->address, "raw", policy);
	again(r, true);
	total = relay_feed(r, SIZE);
	ASSERT_EQ(total / 2, recv(r->up, buf, total / 2, 0));
	/* To raw, a header is payload as well. */
	EXPECT_EQ(total / 2, relay_anchored(r));
	remove_policy(_metadata, policy);
	add_policy(_metadata, variant->address, "http1", policy);
	ASSERT_EQ(total - total / 2, recv(r->up, buf + total / 2, SIZE, 0));
	relay_forward(r, buf, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(0, relay_anchored(r));

	again(r, true);
	total = relay_feed(r, SIZE);
	relay_some(_metadata, r, total);
	EXPECT_TRUE(relay_exact(r));
	EXPECT_EQ(SIZE, relay_anchored(r));
	relay_close(r);
	remove_policy(_metadata, policy);
}

/* The switch for everything: off in mid-stream, and on again. */
TEST_F(live, enabled)
{
	struct relay *r = &self->relay;
	char *buf = relay_buffer(3 * SIZE);
	char policy[64];
	int i;

	add_policy(_metadata, variant->address, "raw", policy);
	again(r, false);
	relay_feed(r, 3 * SIZE);
	for (i = 0; i < 3; i++) {
		relay_set("enabled", i != 1);
		EXPECT_EQ(SIZE, recv(r->up, buf + i * SIZE, SIZE, 0));
		EXPECT_EQ(i != 1 ? SIZE : 0, relay_anchored(r));
	}
	relay_forward(r, buf, 3 * SIZE);
	EXPECT_TRUE(relay_exact(r));
	relay_close(r);
	remove_policy(_metadata, policy);
}

/* Policies flap while messages flow, on connections old and new. */
TEST_F_TIMEOUT(live, flapping, 150)
{
	struct relay *r = &self->relay;
	char policy[64];
	pid_t pid;
	int i;

	pid = fork();
	if (!pid) {
		for (i = 0; i < 4; i++) {
			add_policy(_metadata, variant->address, "raw", policy);
			usleep(30000);
			remove_policy(_metadata, policy);
		}
		_exit(0);
	}
	for (i = 0; !waitpid(pid, NULL, WNOHANG); i++) {
		if (i % 3 == 2)
			again(r, false);
		relay_feed(r, SIZE);
		relay_some(_metadata, r, 7000);
		relay_some(_metadata, r, SIZE - 7000);
		ASSERT_TRUE(relay_exact(r));
		if (r->sent > 8 << 20)
			again(r, false);
	}
	EXPECT_LT(5, i);
}

TEST_HARNESS_MAIN
