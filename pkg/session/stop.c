#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static volatile int stop_fd = -1;

/* Only write(2), which is async-signal-safe; errno belongs to what was interrupted. */
static void on_stop(int sig)
{
	int saved = errno;
	unsigned char byte = (unsigned char)sig;

	(void)!write(stop_fd, &byte, 1);
	errno = saved;
}

int session_catch_stop(int fd)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	/* SA_ONSTACK: Go's threads have small stacks, and package os/signal asks for it. */
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_ONSTACK | SA_RESTART};

	sigfillset(&action.sa_mask);
	stop_fd = fd;
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], &action, NULL) != 0)
			return -1;
	return 0;
}
