/*
 * dissolve PORT REMOTE: dissolves the connection on descriptors 0 and 2 and says, on a
 * file that stays, what the sockets are good for: whether they join root's SO_REUSEPORT
 * group on PORT, whether they can be bound to 512, on which port they listen, and
 * whether they reach the listener on REMOTE, which is closed to all but root.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static FILE *out;

static int dissolve(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	return connect(fd, &none, sizeof none);
}

static struct sockaddr_in at(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void say(int fd, const char *what, int result)
{
	fprintf(out, "%d %s: %s\n", fd, what, result < 0 ? strerror(errno) : "yes");
}

int main(int argc, char **argv)
{
	int one = 1;

	if (argc != 4 || (out = fopen(argv[3], "w")) == NULL)
		return 1;
	for (int fd = 0; fd <= 2; fd += 2) {
		struct sockaddr_in a = at(atoi(argv[2]));
		struct timeval tv = {.tv_sec = 1};
		socklen_t n = sizeof a;
		struct stat st;

		fstat(fd, &st);
		fprintf(out, "%d owner: %d\n", fd, st.st_uid == getuid());
		say(fd, "dissolve", dissolve(fd));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
		say(fd, "reach", connect(fd, (struct sockaddr *)&a, sizeof a));
		dissolve(fd);
		a = at(512);
		say(fd, "bind 512", bind(fd, (struct sockaddr *)&a, sizeof a));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
		a = at(atoi(argv[1]));
		say(fd, "join", bind(fd, (struct sockaddr *)&a, sizeof a));
		if (listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0)
			fprintf(out, "%d listens low: %d\n", fd, ntohs(a.sin_port) < 1024);
		say(fd, "mark", setsockopt(fd, SOL_SOCKET, SO_MARK, &one, sizeof one));
	}
	fclose(out);
	return 0;
}
