// SPDX-License-Identifier: GPL-2.0-only
/* What a relay needs of Libra: its counters, its sysctls, and whether it is idle. */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay.h"

void relay_read_stat(char *text)
{
	FILE *file = fopen("/proc/net/libra_stat", "r");

	text[0] = 0;
	if (!file)
		return;
	text[fread(text, 1, RELAY_STAT - 1, file)] = 0;
	fclose(file);
}

static long relay_find(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *line;

	for (line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ' ')
			return strtol(line + len, NULL, 10);
	}
	return 0;
}

/* By how much a counter moved. */
long relay_stat(const struct relay *r, const char *name)
{
	char now[RELAY_STAT];

	relay_read_stat(now);
	return relay_find(now, name) - relay_find(r->before, name);
}

/* Bytes anchored since the last call. */
long relay_anchored(struct relay *r)
{
	long before = r->anchored;

	r->anchored = relay_stat(r, "rx_anchored_bytes");
	return r->anchored - before;
}

/* What reading this much payload at once into one buffer has to anchor. */
long relay_due(const struct relay *r, size_t payload)
{
	return r->attached && payload >= relay_min_anchor() ? payload : 0;
}

/* Is what is read with MSG_WAITALL anchored? What waits for records, waits in TLS. */
bool relay_anchors_waitall(const struct relay *r)
{
	return r->attached && !relay_decrypts(r);
}

bool relay_policy_missing(const struct relay *r)
{
	return r->attached && !relay_stat(r, "attach");
}

/* Nothing is attached, nothing is kept; the last acknowledgments may be on their way. */
bool relay_idle(void)
{
	static const char * const gauges[] = {
		"attached_sockets", "anchors_live", "anchor_bytes_live",
		"anchor_charge_live", "lazy_pages", "payload_pages",
		"payload_processes",
	};
	double end = relay_now() + RELAY_PATIENCE;
	char now[RELAY_STAT];
	size_t i;

	do {
		relay_read_stat(now);
		for (i = 0; i < sizeof(gauges) / sizeof(*gauges); i++)
			if (relay_find(now, gauges[i]))
				break;
		if (i == sizeof(gauges) / sizeof(*gauges))
			return true;
		usleep(1000);
	} while (relay_now() < end);
	fprintf(stderr, "# %s is %ld\n", gauges[i], relay_find(now, gauges[i]));
	return false;
}

/* A sysctl of this network namespace. */
void relay_set(const char *name, int value)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/libra/%s", name);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%d", value) < 0 || fclose(file))
		err(1, "%s", path);
}

/* Natively the threshold means nothing, but the sizes around it are the same. */
size_t relay_min_anchor(void)
{
	FILE *file = fopen("/proc/sys/net/libra/min_anchor", "r");
	size_t value = 2048;

	if (file) {
		if (fscanf(file, "%zu", &value) != 1)
			errx(1, "net.libra.min_anchor is unreadable");
		fclose(file);
	}
	return value;
}
