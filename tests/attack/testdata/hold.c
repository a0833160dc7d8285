/*
 * hold FILE FD SECONDS: a child sends on FD from a mapping of FILE, whose page never
 * comes, and so holds the socket's lock. Says "holding" on the other connection, if
 * FD is not 1, and ends after SECONDS with status 5.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDONLY) : -1;
	char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (fd < 0 || page == MAP_FAILED)
		return perror("map"), 1;
	if (fork() == 0)
		return (int)send(atoi(argv[2]), page, 4096, 0);
	usleep(300000);
	if (atoi(argv[2]) != 1)
		(void)!write(1, "holding\n", 8);
	signal(SIGTERM, SIG_IGN);
	sleep((unsigned)atoi(argv[3]));
	return 5;
}
