#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static cpu_set_t cpus;
static int cpus_known;
static int slack;

/* A C constructor: before Go's runtime starts.
 *
 * The runtime makes itself as wide as the processors it may run on, and wakes
 * threads on the others while it starts: a third of its start-up time, in a
 * process that does one thing after the other. It has no other knob that can be
 * turned in the binary; GOMAXPROCS is the environment's, which is the super-server's.
 * So it is shown one processor, and the first thread gets the others back at once
 * (restore). Likewise one malloc arena: every further one is an mmap of 64 MB
 * per thread.
 *
 * Its monitor thread sleeps 20 us at a time, to take the processor from a
 * goroutine that does not yield: 25 interruptions in the life of a process where
 * there is nobody to give it to. With a timer slack of 10 ms, which threads
 * inherit, it sleeps that long; the first thread gets its own slack back. */
__attribute__((constructor)) static void start_small(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	mallopt(M_ARENA_MAX, 1);
	slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 10 * 1000 * 1000, 0, 0, 0); /* ns */
	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) < 2)
		return; /* more than 1024 processors: as wide as Go likes */
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	cpus_known = sched_setaffinity(0, sizeof one, &one) == 0;
}

/* Also before the runtime: when it cannot start a thread it writes a trace to
 * descriptor 2 and aborts, and under inetd descriptor 2 is the peer. */
__attribute__((constructor)) static void take_stderr_off_the_peer(void)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	int null;

	if (getpeername(2, (struct sockaddr *)&peer, &size) != 0 || (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, 2);
	if (null > 2)
		close(null);
}

void restore(void)
{
	if (slack > 0)
		prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
	if (cpus_known)
		sched_setaffinity(0, sizeof cpus, &cpus);
}
