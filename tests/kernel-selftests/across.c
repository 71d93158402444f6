// SPDX-License-Identifier: GPL-2.0-only
/*
 * To be preloaded into a test that connects its sockets over this host's loopback: its TCP
 * connections come from another network namespace, so that they cross a device.
 *
 *	LIBRA_ACROSS=/proc/PID/fd/N	a file of that namespace
 *	LIBRA_ACROSS_TO=10.2.0.1	where this one is found from there
 *
 * What was set on the socket before connect() is lost; IPv6, and what connects to nobody,
 * stays as it is.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	_exit(125);
}

static int socket_there(const char *path)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	int fd;

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die("LIBRA_ACROSS");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || setns(here, CLONE_NEWNET))
		die("a socket of another namespace");
	close(here);
	close(there);
	return fd;
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int (*native)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	const char *path = getenv("LIBRA_ACROSS"), *to = getenv("LIBRA_ACROSS_TO");
	struct sockaddr_in there;
	socklen_t size = sizeof(int);
	int type, flags, other;

	if (!path || !to || address->sa_family != AF_INET ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM)
		return native(fd, address, length);
	there = *(const struct sockaddr_in *)address;
	if (inet_pton(AF_INET, to, &there.sin_addr) != 1)
		die("LIBRA_ACROSS_TO");
	flags = fcntl(fd, F_GETFL);
	other = socket_there(path);
	if (fcntl(other, F_SETFL, flags) || dup2(other, fd) != fd)
		die("a socket in the place of another");
	close(other);
	return native(fd, (const struct sockaddr *)&there, sizeof(there));
}
