/*
 * sockets linger | errors: what a command can do to the sockets that it shares
 * with the server. "linger" makes close wait for the peer, for days, with output
 * that the peer does not take; "errors" leaves an entry in the error queue of
 * standard error, and poll(2) with POLLERR, for as long as nobody reads it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char block[1 << 16];

int main(int argc, char **argv)
{
	const struct linger days = {1, 1000000};
	const int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;

	if (argc == 2 && strcmp(argv[1], "linger") == 0) {
		if (setsockopt(1, SOL_SOCKET, SO_LINGER, &days, sizeof days) < 0 || fcntl(1, F_SETFL, O_NONBLOCK) < 0)
			return perror("linger"), 1;
		while (write(1, block, sizeof block) > 0)
			;
	} else {
		if (setsockopt(2, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps) < 0 || write(2, "x", 1) != 1)
			return 1;
	}
	return 0;
}
