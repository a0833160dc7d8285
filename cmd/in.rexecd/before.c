#define _GNU_SOURCE
#include <malloc.h>
#include <sched.h>

static cpu_set_t cpus;
static int cpus_known;

/* A C constructor: before Go's runtime starts.
 *
 * The runtime makes itself as wide as the processors it may run on, and wakes
 * threads on the others while it starts: a third of its start-up time, in a
 * process that does one thing after the other. It has no other knob that can be
 * turned in the binary; GOMAXPROCS is the environment's, which is the super-server's.
 * So it is shown one processor, and the first thread gets the others back at once
 * (restore_cpus). Likewise one malloc arena: every further one is an
 * mmap of 64 MB per thread. */
__attribute__((constructor)) static void start_small(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	mallopt(M_ARENA_MAX, 1);
	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) < 2)
		return; /* more than 1024 processors: as wide as Go likes */
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	cpus_known = sched_setaffinity(0, sizeof one, &one) == 0;
}

void restore_cpus(void)
{
	if (cpus_known)
		sched_setaffinity(0, sizeof cpus, &cpus);
}
