/*
 * A client around glibc's rexec(3) and rexec_af(3): code that nobody of this project wrote speaks
 * the protocol.
 *
 * rexec HOST PORT USER PASSWORD COMMAND FAMILY [SIGNAL]
 *
 * FAMILY is 4 for rexec(3), 6 for rexec_af(3) with IPv6; -4 and -6 are the same without a stderr
 * connection. Standard input goes to the command; its output and its errors come out as the same.
 * SIGNAL is sent after the first output. Exit status 1 when rexec(3) fails, which prints why.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void all(int fd, const char *p, ssize_t n)
{
	while (n > 0) {
		ssize_t m = write(fd, p, n);
		if (m < 0)
			err(3, "write");
		p += m;
		n -= m;
	}
}

/* Copies what there is; 0 at the end. */
static int copy(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof buf);

	if (n < 0)
		err(3, "read");
	all(to, buf, n);
	return n > 0;
}

int main(int argc, char **argv)
{
	char *host = argv[1];
	int fd, fd2 = -1, family, sig;

	if (argc < 7)
		errx(2, "usage: rexec HOST PORT USER PASSWORD COMMAND FAMILY [SIGNAL]");
	signal(SIGPIPE, SIG_IGN);
	family = atoi(argv[6]);
	sig = argc > 7 ? atoi(argv[7]) : 0;
	if (abs(family) == 6)
		fd = rexec_af(&host, htons(atoi(argv[2])), argv[3], argv[4], argv[5], family > 0 ? &fd2 : NULL, AF_INET6);
	else
		fd = rexec(&host, htons(atoi(argv[2])), argv[3], argv[4], argv[5], family > 0 ? &fd2 : NULL);
	if (fd < 0)
		return 1;
	struct pollfd p[3] = {{fd, POLLIN, 0}, {fd2, POLLIN, 0}, {0, POLLIN, 0}};
	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 3, -1) < 0)
			err(3, "poll");
		if (p[0].revents) {
			if (!copy(fd, 1))
				p[0].fd = -1;
			if (sig) {
				char byte = sig;
				all(fd2, &byte, 1);
				sig = 0;
			}
		}
		if (p[1].revents && !copy(fd2, 2))
			p[1].fd = -1;
		if (p[2].revents && !copy(0, fd)) {
			shutdown(fd, SHUT_WR);
			p[2].fd = -1;
		}
	}
	return 0;
}
