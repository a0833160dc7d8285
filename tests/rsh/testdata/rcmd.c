/*
 * A client around glibc's rcmd_af(3): code that nobody of this project wrote speaks the protocol.
 *
 * rcmd HOST PORT LOCAL-USER USER COMMAND FAMILY [SIGNAL]
 *
 * FAMILY is 4 or 6; -4 and -6 are the same without a stderr connection. SIGNAL is sent after the
 * command's first output. Exit status 1 when rcmd_af(3) fails, which prints why.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Copies to the end, and sends a signal after the first bytes. */
static void copy(int from, int to, int signals, char signal)
{
	char buf[65536];
	ssize_t n, first = 1;

	while ((n = read(from, buf, sizeof buf)) > 0 && write(to, buf, n) == n)
		if (signal && first-- == 1 && write(signals, &signal, 1) != 1)
			_exit(3);
}

int main(int argc, char **argv)
{
	int fd, fd2 = -1, family = argc > 6 ? atoi(argv[6]) : 0;

	if (family == 0)
		return 2;
	fd = rcmd_af(&argv[1], htons(atoi(argv[2])), argv[3], argv[4], argv[5], family > 0 ? &fd2 : NULL,
	             abs(family) == 6 ? AF_INET6 : AF_INET);
	if (fd < 0)
		return 1;
	if (fork() == 0) {
		copy(0, fd, -1, 0);
		shutdown(fd, SHUT_WR);
		return 0;
	}
	if (fd2 >= 0 && fork() == 0) {
		copy(fd2, 2, -1, 0);
		return 0;
	}
	copy(fd, 1, fd2, argc > 7 ? atoi(argv[7]) : 0);
	while (wait(NULL) > 0)
		;
	return 0;
}
