/* The wire half that floor.c and reference.c share: rexecd(8) steps 1-4 in the fewest system calls. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { USER_MAX = 256, PASSWORD_MAX = 511, COMMAND_MAX = 131071 };

struct wire {
	int primary, stderr_fd;          /* both close-on-exec, above 2; the same one when the port was 0 */
	struct sockaddr_storage peer, local;
	const char *user, *password, *command;
};

/* Room for the longest request; only the pages that a request fills are ever touched. */
static char request[8 + USER_MAX + 1 + PASSWORD_MAX + 1 + COMMAND_MAX + 1];

/* refuse says one line on the primary, as every server of this protocol does, and ends the process. */
static void refuse(int fd, const char *text)
{
	char line[160];
	int n = snprintf(line, sizeof line, "\001%s\n", text);
	char drain[4096];

	if (send(fd, line, n, MSG_NOSIGNAL) == n && shutdown(fd, SHUT_WR) == 0)
		while (recv(fd, drain, sizeof drain, MSG_DONTWAIT) > 0)
			;
	_exit(0);
}

/* take extends request[from..] up to its first NUL, `want` times, and never reads a byte further:
 * what follows the command's NUL is the command's standard input. */
static size_t take(int fd, size_t from, int want)
{
	size_t len = from;

	while (want > 0) {
		ssize_t n = recv(fd, request + len, sizeof request - len, MSG_PEEK);
		size_t use = 0;

		if (n <= 0)
			_exit(0);
		while (use < (size_t)n && want > 0)
			if (request[len + use++] == 0)
				want--;
		if (recv(fd, request + len, use, 0) != (ssize_t)use)
			_exit(0);
		len += use;
		if (want > 0 && len == sizeof request)
			refuse(fd, "command too long");
	}
	return len;
}

static unsigned port_of(int fd, const char *s)
{
	unsigned port = 0;

	for (const char *p = s; *p; p++)
		if (*p < '0' || *p > '9' || p - s >= 5 || (port = port * 10 + *p - '0') > 65535)
			refuse(fd, "bad port");
	if (port > 0 && port < 1024)
		refuse(fd, "bad port");
	return port;
}

/* dial connects to the client's port from the primary's own local address. */
static int dial(struct wire *w, unsigned port)
{
	struct sockaddr_storage to = w->peer, from = w->local;
	socklen_t len = w->peer.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int fd = socket(w->peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	/* sin_port and sin6_port lie at the same offset. */
	((struct sockaddr_in *)&to)->sin_port = htons(port);
	((struct sockaddr_in *)&from)->sin_port = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, len) < 0 || connect(fd, (struct sockaddr *)&to, len) < 0)
		refuse(w->primary, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	return fd;
}

/* receive takes the connection off fds 0-2 and reads the whole request, dialling back as soon as the port is known. */
static void receive(struct wire *w)
{
	socklen_t n = sizeof w->peer;
	int null, on = 1;
	size_t after_port;
	unsigned port;

	if (getpeername(0, (struct sockaddr *)&w->peer, &n) < 0) {
		perror("getpeername");
		exit(2);
	}
	n = sizeof w->local;
	getsockname(0, (struct sockaddr *)&w->local, &n);
	w->primary = fcntl(0, F_DUPFD_CLOEXEC, 3);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (null > 2)
		close(null);
	setsockopt(w->primary, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);

	alarm(60);                       /* the login grace: its default action ends the process */
	after_port = take(w->primary, 0, 1);
	port = port_of(w->primary, request);
	w->stderr_fd = port ? dial(w, port) : w->primary;

	take(w->primary, after_port, 3);
	w->user = request + after_port;
	w->password = w->user + strlen(w->user) + 1;
	w->command = w->password + strlen(w->password) + 1;
	if (strlen(w->user) > USER_MAX)
		refuse(w->primary, "username too long");
	if (strlen(w->password) > PASSWORD_MAX)
		refuse(w->primary, "password too long");
	if (strlen(w->command) > COMMAND_MAX)
		refuse(w->primary, "command too long");
}
